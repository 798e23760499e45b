"""Accounts take money from their own clients: their own, once, and nobody else's."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import Client

from roomtone_billing import (
    ClientDisputeClosed,
    ClientOffer,
    ClientPaymentDisputed,
    ClientPaymentRefunded,
    ClientPaymentState,
    ClientPaymentSucceeded,
    ConnectChanged,
    ConnectState,
)
from roomtone_billing.errors import (
    AlreadyPaid,
    CannotTakePayments,
    GatewayRefused,
    GatewayUnavailable,
    NotPaid,
    UnknownAccount,
    UnknownClientPayment,
)
from roomtone_billing.models import AccountRow, InboxRow, SellerRow

BACK = "http://127.0.0.1/back"
OFFER = ClientOffer(description="Deposit for 3 March", success_url=BACK, cancel_url=BACK)
CONNECT_EVENTS = (ConnectChanged, ClientPaymentSucceeded, ClientPaymentRefunded, ClientPaymentDisputed, ClientDisputeClosed)


@pytest.fixture
def studios(host):
    """A host whose handlers write down what they are told of clients' payments."""

    def note(session: Session, event) -> None:
        host.told.append(event)

    for kind in CONNECT_EVENTS:
        host.billing.on(kind, name="note")(note)
    return host


def connect(host, account: str = "a"):
    return host.billing.account(account).connect


def begin(host, account: str = "a") -> str:
    """Open the account, and its onboarding page."""
    with Session(host.engine) as session, session.begin():
        host.billing.open_account(session, account, email=f"{account}@example.org", name=account.upper())
    return connect(host, account).onboard(return_url=BACK, refresh_url=BACK, country="FR")


def ready(host, account: str = "a") -> str:
    """An account that can charge; returns its id at Stripe."""
    page = begin(host, account)
    assert Client(host.stripe.offline.wsgi_app).post(urlsplit(page).path).status_code == 303
    assert connect(host, account).sync().can_charge
    host.stripe.connected_events()
    with Session(host.engine) as session:
        return session.get_one(SellerRow, account).stripe_account


def page(host, account: str = "a", reference: str = "deposit:1", amount_minor: int = 5000, fee_minor: int = 250) -> str:
    return connect(host, account).checkout(reference, amount_minor=amount_minor, currency="EUR", fee_minor=fee_minor, offer=OFFER)


def pay(host, url: str, number: str = "4242424242424242") -> None:
    typed = {"email": "c@example.com", "name": "C", "number": number, "expiry": "12/40", "cvc": "123"}
    assert Client(host.stripe.offline.wsgi_app).post(urlsplit(url).path, data=typed).status_code == 303


def hear(host, payloads: list[bytes] | None = None) -> None:
    """Let what happened to connected accounts arrive, and be done."""
    for payload in host.stripe.connected_events() if payloads is None else payloads:
        host.billing.receive(*host.signed(payload))
    host.drain()


def told(host, kind) -> list:
    return [event for event in host.told if isinstance(event, kind)]


def test_an_account_begins_lacks_details_and_is_ready(studios):
    before = connect(studios).status()
    url = begin(studios)
    during = connect(studios).status()
    Client(studios.stripe.offline.wsgi_app).post(urlsplit(url).path)
    hear(studios)
    after = connect(studios).status()

    assert (before.state, during.state, after.state) == (ConnectState.none, ConnectState.onboarding, ConnectState.ready)
    assert "external_account" in during.seller.due
    assert (after.can_charge, after.seller.payouts_enabled, after.seller.due) == (True, True, ())
    assert [(event.before, event.after) for event in told(studios, ConnectChanged)] == [("none", "onboarding"), ("onboarding", "ready")]


def test_beginning_at_once_makes_one_connected_account(studios):
    begin(studios)
    with Session(studios.engine) as session, session.begin():
        studios.billing.open_account(session, "b", email="b@example.org", name="B")
    together = Barrier(4)

    def go(_: int) -> str:
        together.wait()
        return connect(studios, "b").onboard(return_url=BACK, refresh_url=BACK, country="FR")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(go, range(4)))

    assert len(studios.stripe.api.accounts.list().data) == 2


def test_nobody_takes_money_before_stripe_lets_them(studios):
    with pytest.raises(UnknownAccount):
        connect(studios, "x").onboard(return_url=BACK, refresh_url=BACK, country="FR")
    begin(studios)
    with pytest.raises(CannotTakePayments) as refused:
        page(studios)

    assert "external_account" in refused.value.due


@pytest.mark.parametrize(("amount", "fee"), [(0, 0), (100, 101), (100, -1)])
def test_an_amount_is_above_nothing_and_a_fee_within_it(studios, amount, fee):
    with pytest.raises(ValueError, match="the amount is above 0"):
        page(studios, amount_minor=amount, fee_minor=fee)


def test_a_payment_in_doubled_and_shuffled_events_is_told_once_with_its_fee(studios):
    stripe_account = ready(studios)
    pay(studios, page(studios))
    payloads = studios.stripe.connected_events() * 2
    random.Random(7).shuffle(payloads)
    hear(studios, payloads)
    paid = connect(studios).payment("deposit:1")

    assert [(event.account, event.reference, event.amount_minor, event.fee_minor) for event in told(studios, ClientPaymentSucceeded)] == [
        ("a", "deposit:1", 5000, 250)
    ]
    assert (paid.state, paid.url, paid.description) == (ClientPaymentState.paid, None, "Deposit for 3 March")
    assert [(fee.account, fee.amount) for fee in studios.stripe.api.application_fees.list().data] == [(stripe_account, 250)]


@pytest.mark.parametrize("heard", range(6))
def test_any_one_event_of_a_payment_is_enough(studios, heard):
    ready(studios)
    pay(studios, page(studios))
    payloads = studios.stripe.connected_events()
    about = [one for one in payloads if json.loads(one)["data"]["object"]["object"] in {"payment_intent", "checkout.session", "charge"}]
    hear(studios, [about[heard % len(about)]])

    assert len(told(studios, ClientPaymentSucceeded)) == 1


def test_pitfall_17_an_event_with_an_account_never_touches_platform_rows(studios):
    customer = studios.customer()
    stripe_account = ready(studios)
    mine = json.loads(studios.stripe.events(customer)[0])
    with Session(studios.engine) as session:
        before = session.get_one(AccountRow, "a").mark
    for account in (stripe_account, "acct_stranger"):
        hear(studios, [json.dumps({**mine, "account": account}).encode()])

    with Session(studios.engine) as session:
        row = session.get_one(AccountRow, "a")
        states = dict(session.execute(select(InboxRow.stripe_account, InboxRow.state)).all())
    assert (row.mark, row.is_dirty) == (before, False)
    assert states == {stripe_account: "done", "acct_stranger": "foreign"}


def test_pitfall_16_an_event_of_the_other_mode_at_the_live_endpoint_is_put_aside(studios):
    ready(studios)
    pay(studios, page(studios))
    studios.gateway.livemode = True
    hear(studios)

    assert told(studios, ClientPaymentSucceeded) == []
    with Session(studios.engine) as session:
        assert set(session.scalars(select(InboxRow.state))) == {"ignored"}


def test_pitfall_14_a_payment_is_found_as_id_and_as_whole_object(studios):
    ready(studios)
    pay(studios, page(studios))
    payloads = [json.loads(one) for one in studios.stripe.connected_events()]
    charge = next(one for one in payloads if one["type"] == "charge.succeeded")
    connect(studios).sync("deposit:1")
    connect(studios).refund("deposit:1", 1000, key="elsewhere")
    charge["data"]["object"] |= {"metadata": {}, "payment_intent": {"id": charge["data"]["object"]["payment_intent"]}}
    hear(studios, [json.dumps(charge).encode()])

    assert len(told(studios, ClientPaymentRefunded)) == 1


def test_pitfall_60_two_studios_use_the_same_reference_and_see_their_own(studios):
    ready(studios, "a")
    ready(studios, "b")
    pay(studios, page(studios, "a", amount_minor=1000, fee_minor=0))
    page(studios, "b", amount_minor=9000, fee_minor=0)
    hear(studios)

    assert (connect(studios, "a").payment("deposit:1").state, connect(studios, "b").payment("deposit:1").state) == ("paid", "open")
    assert [(event.account, event.amount_minor) for event in told(studios, ClientPaymentSucceeded)] == [("a", 1000)]
    assert [one.amount_minor for one in connect(studios, "b").payments()] == [9000]


def test_pitfall_60_studio_a_can_never_read_or_touch_studio_bs_payments(studios):
    ready(studios, "a")
    ready(studios, "b")
    pay(studios, page(studios, "b", "secret"))
    hear(studios)
    mine = connect(studios, "a")
    for attempt in (mine.payment, mine.sync, lambda reference: mine.refund(reference, key="k")):
        with pytest.raises(UnknownClientPayment, match="'a' asked for no payment 'secret'"):
            attempt("secret")

    assert mine.payments() == []
    assert connect(studios, "b").payment("secret").refunded_minor == 0


def test_pitfall_60_every_call_names_the_account_it_acts_for(studios, monkeypatch):
    seen = []
    respond = studios.stripe.offline.respond

    def note(request):
        seen.append((request.path, request.headers.get("stripe-account")))
        return respond(request)

    stripe_account = ready(studios)
    monkeypatch.setattr(studios.gateway._client.checkout.sessions._requestor._client, "_respond", note)
    pay(studios, page(studios))
    hear(studios)
    connect(studios).refund("deposit:1", key="k")

    assert {path.split("/")[2] for path, _ in seen} >= {"accounts", "checkout", "refunds", "disputes"}
    assert {account for _, account in seen} == {stripe_account}


def test_pitfall_60_a_studio_that_leaves_keeps_its_history_and_may_come_back(studios):
    stripe_account = ready(studios)
    pay(studios, page(studios))
    hear(studios)
    studios.stripe.offline.deauthorize(stripe_account)
    hear(studios)
    left = connect(studios).status()
    with pytest.raises(CannotTakePayments):
        page(studios, reference="deposit:2")
    again = ready(studios)

    assert (left.state, told(studios, ConnectChanged)[-1].after) == (ConnectState.deauthorised, ConnectState.deauthorised)
    assert again != stripe_account
    assert connect(studios).payment("deposit:1").state is ClientPaymentState.paid


def test_pitfall_60_charging_can_be_taken_away_later(studios):
    stripe_account = ready(studios)
    studios.stripe.offline.restrict(stripe_account)
    hear(studios)
    status = connect(studios).status()

    assert (status.state, status.seller.past_due) == (ConnectState.restricted, ("individual.verification.document",))
    with pytest.raises(CannotTakePayments):
        page(studios)


def test_pitfall_60_a_refund_gives_the_fees_share_back_once_for_its_key(studios):
    ready(studios)
    pay(studios, page(studios))
    connect(studios).sync("deposit:1")
    for _ in range(2):
        part = connect(studios).refund("deposit:1", 2000, key="part")
    rest = connect(studios).refund("deposit:1", key="rest")
    hear(studios)
    with pytest.raises(GatewayRefused):
        connect(studios).refund("deposit:1", key="more")

    assert (part.refunded_minor, rest.refunded_minor) == (2000, 5000)
    assert [event.amount_minor for event in told(studios, ClientPaymentRefunded)] == [2000, 3000]
    assert studios.stripe.api.application_fees.list().data[0].amount_refunded == 250


def test_nothing_goes_back_that_was_not_paid(studios):
    ready(studios)
    page(studios)
    with pytest.raises(NotPaid):
        connect(studios).refund("deposit:1", key="k")


def test_a_dispute_is_told_when_it_opens_and_when_it_is_decided(studios):
    stripe_account = ready(studios)
    pay(studios, page(studios), "4000000000000259")
    studios.clock.move(seconds=1)
    hear(studios)
    opened = [event.amount_minor for event in told(studios, ClientPaymentDisputed)]
    own = {"stripe_account": stripe_account}
    dispute = studios.stripe.api.disputes.list({}, own).data[0].id
    studios.stripe.api.disputes.update(dispute, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True}, own)
    hear(studios)

    assert opened == [5000]
    assert [event.is_won for event in told(studios, ClientDisputeClosed)] == [True]


def test_one_reference_has_one_open_page_however_many_ask(studios):
    stripe_account = ready(studios)
    together = Barrier(6)

    def go(_: int) -> str:
        together.wait()
        return page(studios)

    with ThreadPoolExecutor(6) as pool:
        urls = set(pool.map(go, range(6)))
    sessions = studios.stripe.api.checkout.sessions.list({}, {"stripe_account": stripe_account}).data

    assert len(urls) == 1
    assert [one.url for one in sessions] == list(urls)


def test_another_amount_closes_the_page_before(studios):
    stripe_account = ready(studios)
    first = page(studios)
    second = page(studios, amount_minor=6000)
    sessions = studios.stripe.api.checkout.sessions.list({}, {"stripe_account": stripe_account}).data

    assert {one.status: one.amount_total for one in sessions} == {"open": 6000, "expired": 5000}
    assert first != second


def test_a_page_paid_while_another_is_asked_for_is_the_only_one_paid(studios):
    stripe_account = ready(studios)
    first = page(studios)
    close = studios.gateway.close_client_page

    def pay_meanwhile(*args):
        pay(studios, first)
        close(*args)

    studios.gateway.close_client_page = pay_meanwhile
    with pytest.raises(AlreadyPaid):
        page(studios, amount_minor=6000)
    with pytest.raises(AlreadyPaid):
        page(studios)

    assert len(studios.stripe.api.checkout.sessions.list({}, {"stripe_account": stripe_account}).data) == 1


def test_a_process_that_died_while_opening_leaves_the_page_to_the_next(studios):
    stripe_account = ready(studios)
    studios.stripe.break_down(operation="post /v1/checkout/sessions")  # it is opened, and the answer is lost
    with pytest.raises(GatewayUnavailable):
        page(studios)
    studios.billing.work()

    assert page(studios) == studios.stripe.api.checkout.sessions.list({}, {"stripe_account": stripe_account}).data[0].url
    assert len(studios.stripe.api.checkout.sessions.list({}, {"stripe_account": stripe_account}).data) == 1


def test_a_page_stripe_refuses_is_not_in_the_way_of_the_next(studios):
    ready(studios)
    bad = ClientOffer(description="x", success_url=BACK, cancel_url=BACK, locale="xx")
    with pytest.raises(GatewayRefused):
        connect(studios).checkout("deposit:1", amount_minor=5000, currency="EUR", offer=bad)

    assert page(studios)


def test_a_lost_webhook_costs_an_hour(studios):
    ready(studios)
    pay(studios, page(studios))
    studios.clock.move(hours=1)
    studios.billing.sweep()
    studios.drain()

    assert len(told(studios, ClientPaymentSucceeded)) == 1


def test_an_abandoned_page_expires_and_another_can_be_opened(studios):
    ready(studios)
    first = page(studios)
    studios.clock.move(days=1, hours=1)
    hear(studios)
    expired = connect(studios).payment("deposit:1").state

    assert expired is ClientPaymentState.expired
    assert page(studios) != first


def test_replaying_a_range_takes_an_event_of_a_connected_account_nowhere_near_the_platform(studios):
    customer = studios.customer()
    stripe_account = ready(studios)
    hear(studios, [json.dumps({**json.loads(studios.stripe.events(customer)[0]), "account": stripe_account}).encode()])
    with Session(studios.engine) as session:
        before = session.get_one(AccountRow, "a").mark
    studios.billing.upkeep.replay_between(studios.clock() - timedelta(days=1), studios.clock() + timedelta(days=1))
    studios.drain()

    with Session(studios.engine) as session:
        assert session.get_one(AccountRow, "a").mark == before
        assert session.scalars(select(InboxRow.state)).all() == ["done"]
