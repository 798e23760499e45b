"""Disputes: told of once, felt as the policy says, and never paid back twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_billing import (
    Billing,
    Cause,
    Dispute,
    DisputeClosed,
    DisputeOpened,
    DisputeState,
    GracePolicy,
    InvoiceRefunded,
    OnDispute,
    PackRefunded,
    Phase,
)
from roomtone_billing.disputes import announce
from roomtone_billing.errors import GatewayUnavailable, MalformedTruth, RefundRefused, UnknownDispute
from roomtone_billing.models import InboxRow
from roomtone_billing.snapshot import Payment, Snapshot
from roomtone_billing.stripe.disputes import dispute as translated

NOW = datetime(2026, 1, 1, 13, tzinfo=UTC)
WINNING = {"evidence": {"uncategorized_text": "winning_evidence"}}
ONE = Dispute(id="du_1", payment="pi_1", amount_minor=500, currency="EUR", reason="fraudulent", state=DisputeState.open, created_at=NOW)


@pytest.fixture
def disputed(host):
    """A host that restricts while a dispute is open and suspends when it is lost; `a` has a month whose payment is disputed."""
    host.billing = Billing(
        host.engine,
        catalogue=host.billing.catalogue,
        gateway=host.gateway,
        clock=host.clock,
        grace=GracePolicy(on_dispute=OnDispute.restrict, on_lost_dispute=OnDispute.suspend),
    )
    for kind in (DisputeOpened, DisputeClosed, InvoiceRefunded):
        host.billing.on(kind)(lambda session, event: host.told.append(event))
    customer = host.customer()
    card = host.stripe.api.payment_methods.attach("pm_card_createDispute", {"customer": customer}).id
    price = host.stripe.api.prices.list({"lookup_keys": ["pro_month"]}).data[0].id
    host.stripe.api.subscriptions.create({"customer": customer, "items": [{"price": price}], "default_payment_method": card})
    host.billing.account("a").sync()
    host.stripe.take()
    host.clock.move(hours=1)
    return host


def hear(host) -> list[str]:
    """Let what is about disputes arrive, and nothing else."""
    found = [one for one in host.stripe.take() if json.loads(one)["type"].startswith("charge.dispute")]
    for payload in found:
        host.billing.receive(*host.signed(payload))
    host.drain()
    return [json.loads(one)["type"] for one in found]


def states(host) -> list[str]:
    with Session(host.engine) as session:
        return list(session.scalars(select(InboxRow.state).order_by(InboxRow.id)))


def told(host, kind) -> list:
    return [event for event in host.told if isinstance(event, kind)]


def test_an_event_without_a_customer_finds_its_account_by_its_charge(disputed):
    heard = hear(disputed)
    (opened,) = told(disputed, DisputeOpened)
    access = disputed.billing.account("a").access()

    assert (heard, states(disputed)) == (["charge.dispute.created"], ["done"])
    assert (opened.amount_minor, opened.currency, opened.reason, opened.is_inquiry) == (5900, "EUR", "fraudulent", False)
    assert opened.payment == disputed.billing.account("a").payments()[0].id
    assert (access.phase, access.cause, access.plan_key) == (Phase.read_only, Cause.disputed, "pro")


def test_a_dispute_that_is_won_lifts_what_it_caused_and_is_told_of_once(disputed):
    hear(disputed)
    (found,) = disputed.billing.account("a").disputes()
    disputed.stripe.api.disputes.update(found.id, WINNING)
    hear(disputed)
    disputed.billing.account("a").sync()
    disputed.drain()

    assert disputed.billing.account("a").access().phase is Phase.active
    assert [event.state for event in told(disputed, DisputeClosed)] == [DisputeState.won]
    assert len(told(disputed, DisputeOpened)) == 1
    assert told(disputed, InvoiceRefunded) == []


def test_a_suspension_by_the_host_outlives_a_dispute_that_is_won(disputed):
    hear(disputed)
    account = disputed.billing.account("a")
    account.suspend(reason="spam")
    disputed.stripe.api.disputes.update(account.disputes()[0].id, WINNING)
    hear(disputed)

    assert (account.access().phase, account.access().cause) == (Phase.suspended, Cause.host)


def test_a_lost_dispute_takes_back_like_a_refund_and_holds_until_it_is_forgiven(disputed):
    hear(disputed)
    account = disputed.billing.account("a")
    lost = account.disputes()[0].id
    disputed.stripe.api.disputes.close(lost)
    hear(disputed)
    suspended = account.access()
    forgiven = account.forgive_dispute(lost, reason="paid by transfer")
    again = account.forgive_dispute(lost, reason="paid by transfer")

    assert (suspended.phase, suspended.cause) == (Phase.suspended, Cause.disputed)
    assert (forgiven.phase, again.phase) == (Phase.active, Phase.active)
    assert [(event.amount_minor, event.is_full) for event in told(disputed, InvoiceRefunded)] == [(5900, True)]
    assert [entry.reason for entry in account.history() if entry.what == "forgive_dispute"] == ["paid by transfer"]
    assert account.payments()[0].refundable_minor == 0


def test_pitfall_58_a_dispute_lost_after_a_refund_takes_back_only_what_was_left(disputed):
    account = disputed.billing.account("a")
    account.sync()
    payment = account.payments()[0]
    # Stripe refuses to refund what is disputed, so the refund is made as by somebody quicker than the bank.
    charge = disputed.stripe.api.charges.list({"payment_intent": payment.id}).data[0]
    disputed.stripe.offline.load([{**charge.to_dict(), "amount_refunded": 900}])
    account.sync()
    disputed.drain()
    disputed.stripe.api.disputes.close(account.disputes()[0].id)
    hear(disputed)
    account.sync()
    disputed.drain()

    assert [event.amount_minor for event in told(disputed, InvoiceRefunded)] == [900, 5000]
    assert account.payments()[0].refunded_minor == 5900
    with pytest.raises(RefundRefused, match="0 minor units"):
        account.refund(payment.id, key="late")


def test_pitfall_58_a_pack_whose_dispute_is_lost_gives_back_what_it_granted_once(host):
    account = host.billing.account("a")
    host.customer()
    host.stripe.pay_at(account.buy("credits-300", success_url="http://s", cancel_url="http://c"), "4000000000000259")
    host.clock.move(hours=1)
    account.sync()
    assert account.payments()[0].is_disputed
    host.stripe.api.disputes.close(account.disputes()[0].id)
    account.sync()
    account.sync()
    host.drain()

    assert [(event.amount_minor, dict(event.grants)) for event in told(host, PackRefunded)] == [(500, {"ai_credits": 300})]
    assert account.access().phase is not Phase.suspended


def test_a_charge_of_nobody_and_one_that_is_gone_concern_no_account(host):
    api = host.stripe.api
    intent = api.payment_intents.create({"amount": 500, "currency": "eur", "payment_method": "pm_card_createDispute", "confirm": True})
    host.clock.move(hours=1)
    hear(host)
    payload = json.dumps(event(api, intent)).encode()
    host.billing.receive(*host.signed(payload.replace(intent.latest_charge.encode(), b"ch_gone")))
    host.drain()

    assert states(host) == ["ignored", "ignored"]


def event(api, intent) -> dict:
    dispute = api.disputes.list({"payment_intent": intent.id}).data[0]
    return {
        "id": "evt_gone",
        "type": "charge.dispute.updated",
        "livemode": False,
        "data": {"object": {"object": "dispute", "id": dispute.id, "charge": dispute.charge}},
    }


def test_an_outage_while_the_owner_is_asked_for_delays_the_event_and_a_replay_asks_again(disputed):
    disputed.stripe.break_down(operation="get /v1/charges/.*")
    hear(disputed)
    waiting = states(disputed)
    disputed.clock.move(hours=1)
    disputed.drain()
    with Session(disputed.engine) as session:
        event_id = session.scalar(select(InboxRow.event_id))
    disputed.billing.replay(event_id)
    disputed.drain()

    assert (waiting, states(disputed)) == (["unowned"], ["done"])
    assert len(told(disputed, DisputeOpened)) == 1


def test_an_unknown_dispute_is_not_forgiven_and_an_outage_forgives_nothing(disputed):
    account = disputed.billing.account("a")
    hear(disputed)
    with pytest.raises(UnknownDispute):
        account.forgive_dispute("du_nobodys", reason="r")
    disputed.stripe.break_down(operation="get /v1/customers/.*")
    with pytest.raises(GatewayUnavailable):
        account.forgive_dispute(account.disputes()[0].id, reason="r")

    assert account.access().phase is Phase.read_only


def test_each_stage_is_told_of_once_and_one_first_seen_when_over_as_opened_and_closed():
    record: dict[str, Dispute] = {}
    keys = []
    for state in (DisputeState.inquiry, DisputeState.inquiry, DisputeState.open, DisputeState.lost, DisputeState.lost):
        record, events = announce(record, Snapshot(customer="c", disputes=(replace(ONE, state=state),)), account="a", now=NOW)
        keys += [one.key for one in events]
    _, late = announce({}, Snapshot(customer="c", disputes=(replace(ONE, state=DisputeState.dropped),)), account="a", now=NOW)

    assert keys == ["dispute:du_1:inquiry", "dispute:du_1:open", "dispute:du_1:lost"]
    assert [one.key for one in late] == ["dispute:du_1:open", "dispute:du_1:dropped"]


def test_what_stripe_lists_no_more_was_won_when_its_payment_is_disputed_no_more():
    paid = Payment(id="pi_1", amount_minor=500, currency="EUR", refunded_minor=0)
    still, _ = announce({"du_1": ONE}, Snapshot(customer="c", payments=(replace(paid, is_disputed=True),)), account="a", now=NOW)
    gone, (closed,) = announce({"du_1": ONE}, Snapshot(customer="c", payments=(paid,)), account="a", now=NOW)
    _, nothing = announce(gone, Snapshot(customer="c", payments=(paid,)), account="a", now=NOW)

    assert still["du_1"].state is DisputeState.open
    assert (closed.key, closed.state, nothing) == ("dispute:du_1:won", DisputeState.won, ())


def test_a_dispute_that_cannot_be_read_is_an_error_and_never_a_default():
    charge = {"id": "ch_1", "payment_intent": None, "metadata": {"dispute_forgiven_at": "1767225600"}}
    thing = {"id": "du_1", "amount": 5, "currency": "eur", "reason": "general", "status": "warning_under_review", "created": 1}
    found = translated(thing, charge)

    assert (found.state, found.payment, found.forgiven_at) == (DisputeState.inquiry, "ch_1", datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(MalformedTruth, match="du_1"):
        translated({**thing, "status": "something_new"}, charge)
