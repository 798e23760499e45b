"""The test kit: accounts in every phase by what happens at Stripe, one clock, signed deliveries, and a courier as unkind as asked."""

from __future__ import annotations

import pytest
from flask import Flask

from roomtone_billing import Billing, GracePolicy, Phase, SubscriptionStarted
from roomtone_billing.access import Cause
from roomtone_billing.errors import BadSignature
from roomtone_billing.flask import blueprint
from roomtone_billing.offline import Chaos
from roomtone_billing.testing import OfflineBilling


@pytest.fixture
def make(engine, catalogue):
    grace = GracePolicy(suspended_days=30)
    return lambda gateway, clock: Billing(engine, catalogue=catalogue, gateway=gateway, clock=clock, grace=grace)


@pytest.fixture
def offline(make):
    with OfflineBilling(make) as offline:
        yield offline


@pytest.mark.parametrize("phase", Phase)
def test_an_account_is_made_in_any_phase_and_is_in_step_with_stripe(offline, phase):
    account = offline.in_phase(phase)

    assert account.access().phase is phase
    offline.assert_in_step()


def test_who_cancelled_reads_only_and_may_subscribe_again(offline):
    access = offline.cancelled().access()

    assert (access.phase, access.cause, access.is_subscribed) == (Phase.read_only, Cause.subscription_ended, False)
    assert offline.active().access().phase is Phase.active


def test_an_account_that_owes_is_reopened_by_a_card_that_works(offline):
    account = offline.suspended()
    cause = account.access().cause
    offline.accept_card()

    assert (cause, account.access().phase) == (Cause.payment_failed, Phase.active)


def test_the_plan_and_the_interval_can_be_chosen(offline):
    access = offline.active("b", plan="pro", interval="year").access()

    assert (access.plan_key, access.interval) == ("pro", "year")


def test_a_phase_that_the_policy_does_not_have_is_said(engine, catalogue):
    def make(gateway, clock):
        return Billing(engine, catalogue=catalogue, gateway=gateway, clock=clock, grace=GracePolicy(suspended_days=None))

    with OfflineBilling(make) as offline, pytest.raises(AssertionError, match="lets nobody become ended"):
        offline.ended()


def test_time_passes_for_billing_and_stripe_alike(offline):
    offline.trialing()
    offline.advance(days=15)

    assert offline.billing.account("a").access().phase is Phase.read_only
    assert offline.clock() == offline.stripe.now


def test_handlers_of_the_host_are_told(offline):
    told = []
    offline.billing.on(SubscriptionStarted, name="note")(lambda session, event: told.append(event.account))
    offline.active("a")

    assert told == ["a"]


def test_webhooks_can_be_taken_from_the_courier_and_brought_in_any_way(offline):
    offline.trialing()
    page = offline.billing.account("a").checkout(plan="pro", interval="month", success_url="http://s", cancel_url="http://c")
    offline.take()
    offline.pay(page)
    deliveries = offline.take()
    for delivery in [*reversed(deliveries), *deliveries]:
        offline.billing.receive(delivery.body, delivery.signature)
    offline.settle()

    assert len(deliveries) > 3
    assert offline.billing.account("a").access().plan_key == "pro"


def test_a_made_up_event_is_believed_to_be_stripes_but_not_in_what_it_says(offline):
    offline.active()
    event = offline.event("customer.subscription.deleted")
    receipt = offline.billing.receive(event.body, event.signature)
    offline.settle()

    assert receipt.is_new
    assert offline.billing.account("a").access().phase is Phase.active


def test_a_forged_delivery_is_refused(offline):
    offline.active()
    forged = offline.event("invoice.paid").forged()

    with pytest.raises(BadSignature):
        offline.billing.receive(forged.body, forged.signature)


def test_webhooks_can_go_to_the_applications_own_route(offline):
    app = Flask("host")
    app.register_blueprint(blueprint(offline.billing))
    offline.deliver_to(app.wsgi_app)
    offline.active()

    assert offline.billing.inbox()
    offline.assert_in_step()


def test_an_unkind_courier_loses_nothing_in_the_end(make):
    chaos = Chaos(seed=7, reorder=True, duplicate=0.5, drop=0.5, delay_s=3600)
    told = []
    with OfflineBilling(make, chaos=chaos) as offline:
        offline.billing.on(SubscriptionStarted, name="note")(lambda session, event: told.append(event.account))
        for account in ("a", "b"):
            offline.active(account)
        offline.billing.account("b").cancel(at="now")
        offline.advance(days=4)

        offline.assert_in_step()
        assert sorted(told) == ["a", "b"]


def test_what_is_not_in_step_is_said_field_by_field(offline):
    account = offline.active()
    api = offline.stripe.client().v1
    (view,) = account.subscriptions()
    api.subscriptions.cancel(view.id)
    offline.take()

    with pytest.raises(AssertionError, match=f"subscriptions.{view.id}.status: active here, canceled at Stripe"):
        offline.assert_in_step()


def test_a_handler_that_never_manages_is_put_aside_and_said(make):
    with OfflineBilling(make) as offline:
        offline.billing.on(SubscriptionStarted, name="broken")(lambda session, event: 1 / 0)
        offline.active()
        for _ in range(12):
            offline.advance(hours=2)

        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            offline.assert_in_step()
