"""Connected accounts and their payments: what never came is found, said field by field, and repaired; gaps are filled."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import Client

from roomtone_billing import ClientOffer, ClientPaymentRefunded, ClientPaymentState, ClientPaymentSucceeded, ConnectState
from roomtone_billing.errors import GatewayUnavailable
from roomtone_billing.models import CursorRow, SellerRow

BACK = "http://127.0.0.1/back"
OFFER = ClientOffer(description="Deposit", success_url=BACK, cancel_url=BACK)
CARD = {"email": "c@example.com", "name": "C", "number": "4242424242424242", "expiry": "12/40", "cvc": "123"}


def post(host, url: str, typed: dict | None = None) -> None:
    assert Client(host.stripe.offline.wsgi_app).post(urlsplit(url).path, data=typed).status_code == 303


@pytest.fixture
def studios(host):
    """Two accounts that can charge; what is told of their clients' payments is written down."""
    for kind in (ClientPaymentSucceeded, ClientPaymentRefunded):
        host.billing.on(kind, name="note")(lambda session, event: host.told.append(event))
    for account in ("a", "b"):
        with Session(host.engine) as session, session.begin():
            host.billing.open_account(session, account, email=f"{account}@example.org", name=account)
        connect = host.billing.account(account).connect
        post(host, connect.onboard(return_url=BACK, refresh_url=BACK, country="FR"))
        assert connect.sync().can_charge
    host.stripe.connected_events()
    return host


def ask(host, reference: str, account: str = "a") -> str:
    return host.billing.account(account).connect.checkout(reference, amount_minor=5000, currency="EUR", fee_minor=250, offer=OFFER)


def stripe_account(host, account: str = "a") -> str:
    with Session(host.engine) as session:
        return session.get_one(SellerRow, account).stripe_account


def reconcile(host, **settings):
    done = host.billing.upkeep.reconcile_sellers(calls_per_s=10**6, **settings)
    host.drain()
    return done


def fill(host, **settings):
    done = host.billing.upkeep.backfill(calls_per_s=10**6, **settings)
    host.drain()
    return done


def test_what_never_came_is_said_field_by_field_and_repaired(studios):
    post(studios, ask(studios, "paid"), CARD)
    ask(studios, "open")
    studios.stripe.offline.restrict(stripe_account(studios, "b"))
    known_at = studios.clock()
    studios.clock.move(minutes=30)
    done = reconcile(studios)

    changes = {(drift.account, one.path): (one.ours, one.theirs) for drift in done.drifts for one in drift.differences}
    assert changes["a", "payments.paid.state"] == ("open", "paid")
    assert changes["b", "seller.charges_enabled"] == (True, False)
    assert not any(path.startswith("payments.open") for _, path in changes)
    assert {(drift.account, drift.customer) for drift in done.drifts} == {(one, stripe_account(studios, one)) for one in ("a", "b")}
    assert {drift.since for drift in done.drifts} == {known_at}
    assert studios.billing.account("b").connect.status().state is ConnectState.restricted
    assert [event.reference for event in studios.told if isinstance(event, ClientPaymentSucceeded)] == ["paid"]
    assert {drift.account for drift in studios.billing.upkeep.drifts()} == {"a", "b"}


def test_a_second_run_finds_and_fetches_nothing(studios):
    post(studios, ask(studios, "paid"), CARD)
    reconcile(studios)
    with Session(studios.engine) as session:
        before = session.get_one(SellerRow, "a").ticket
    done = reconcile(studios)

    assert (done.drifts, done.failed, done.sellers, done.payments, done.calls) == ((), (), 2, 1, 3)
    with Session(studios.engine) as session:
        assert session.get_one(SellerRow, "a").ticket == before


def test_a_refund_made_in_the_dashboard_is_found(studios):
    post(studios, ask(studios, "paid"), CARD)
    reconcile(studios)
    payment = studios.stripe.api.payment_intents.list({}, {"stripe_account": stripe_account(studios)}).data[0].id
    studios.stripe.api.refunds.create({"payment_intent": payment, "amount": 2000}, {"stripe_account": stripe_account(studios)})
    done = reconcile(studios)

    assert [event.amount_minor for event in studios.told if isinstance(event, ClientPaymentRefunded)] == [2000]
    assert {one.theirs for one in done.drifts[0].differences if one.path.endswith("amount_minor")} == {2000}


def test_an_account_that_left_unheard_is_found(studios):
    studios.stripe.offline.deauthorize(stripe_account(studios))
    reconcile(studios)

    assert studios.billing.account("a").connect.status().state is ConnectState.deauthorised
    assert studios.billing.account("b").connect.status().state is ConnectState.ready


def test_one_studios_page_is_never_taken_for_anothers(studios):
    post(studios, ask(studios, "deposit", "a"), CARD)
    ask(studios, "deposit", "b")
    reconcile(studios)

    states = [studios.billing.account(account).connect.payment("deposit").state for account in ("a", "b")]
    assert states == [ClientPaymentState.paid, ClientPaymentState.open]


def test_a_run_stops_at_its_bound_and_the_next_goes_on(studios):
    post(studios, ask(studios, "paid", "b"), CARD)
    runs = [reconcile(studios, pages_max=1) for _ in range(3)]

    assert [run.is_complete for run in runs] == [False, False, True]
    assert [len(run.drifts) for run in runs] == [0, 0, 1]
    with Session(studios.engine) as session:
        assert session.get(CursorRow, "reconcile sellers") is None


def test_a_list_that_cannot_be_had_is_an_error_and_the_next_run_goes_on(studios):
    post(studios, ask(studios, "paid"), CARD)
    reconcile(studios, pages_max=1)
    studios.stripe.break_down(operation="get /v1/checkout/sessions")
    with pytest.raises(GatewayUnavailable):
        reconcile(studios)

    assert [drift.account for drift in reconcile(studios).drifts] == ["a"]


def test_an_account_that_cannot_be_fetched_is_named_and_left_to_the_worker(studios):
    post(studios, ask(studios, "paid"), CARD)
    studios.stripe.break_down(operation="get /v1/accounts/.*")
    done = reconcile(studios)
    studios.clock.move(minutes=1)
    studios.drain()

    assert done.failed == ("a",)
    assert studios.billing.account("a").connect.payment("paid").state is ClientPaymentState.paid


def test_a_host_without_connected_accounts_asks_nothing(host):
    assert (reconcile(host).calls, reconcile(host).is_complete) == (0, True)


def test_events_of_connected_accounts_that_never_came_come(studios):
    fill(studios)
    post(studios, ask(studios, "paid"), CARD)
    post(studios, ask(studios, "paid", "b"), CARD)
    done, again = fill(studios), fill(studios)

    assert done.missing > 0
    assert (again.missing, again.refused, again.is_complete) == (0, (), True)
    assert sorted(event.account for event in studios.told if isinstance(event, ClientPaymentSucceeded)) == ["a", "b"]


def test_a_webhook_that_comes_after_a_gap_was_filled_is_the_same_event(studios):
    post(studios, ask(studios, "paid"), CARD)
    fill(studios)
    receipts = [studios.billing.receive(*studios.signed(payload)) for payload in studios.stripe.connected_events()]

    assert {receipt.is_new for receipt in receipts} == {False}


def test_filling_stops_at_its_bound_and_goes_on_with_the_next_account(studios):
    fill(studios)
    post(studios, ask(studios, "paid"), CARD)
    post(studios, ask(studios, "paid", "b"), CARD)
    first, second = fill(studios, pages_max=2), fill(studios, pages_max=2)

    assert (first.is_complete, second.is_complete) == (False, True)
    assert [event.account for event in studios.told if isinstance(event, ClientPaymentSucceeded)] == ["a", "b"]


def test_an_account_that_left_is_named_and_the_others_are_filled(studios):
    fill(studios)
    post(studios, ask(studios, "paid", "b"), CARD)
    studios.stripe.offline.deauthorize(stripe_account(studios))

    assert fill(studios).refused == ("a",)
    assert [event.account for event in studios.told if isinstance(event, ClientPaymentSucceeded)] == ["b"]
