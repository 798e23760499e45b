"""The facade from trial to suspension, over the offline Stripe, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from roomtone_billing import (
    Interval,
    PeriodRenewed,
    Phase,
    PhaseChanged,
    PlanChanged,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialStarted,
)
from roomtone_billing.errors import AlreadySubscribed, DuplicateHandler, NoCustomer, NotPublished, UnknownAccount, UnknownEvent, UnknownPlan


def test_a_trial_starts_once_and_is_told_once(host):
    host.start_trial()
    host.start_trial()
    host.drain()

    assert host.billing.account("a").access().phase is Phase.trialing
    assert host.keys() == ["trial:a"]
    assert isinstance(host.told[0], TrialStarted)


def test_a_trial_rolled_back_by_the_host_never_was(host):
    with Session(host.engine) as session:
        host.billing.start_trial(session, "a", plan="pro", interval=Interval.year, email="a@example.org", name="A")
        session.rollback()
    host.drain()

    assert host.billing.account("a").access().phase is Phase.none
    assert host.told == []


def test_access_read_through_the_hosts_session_sees_what_it_has_not_committed(host):
    with Session(host.engine) as session, session.begin():
        host.billing.start_trial(session, "a", plan="pro", interval=Interval.year, email="a@example.org", name="A")

        assert host.billing.account("a").access(session).plan_key == "pro"


def test_a_checkout_then_its_webhook_make_the_account_active(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro", interval=Interval.year)
    host.hear(customer)
    host.drain()

    access = host.billing.account("a").access()
    assert (access.phase, access.plan_key, access.interval, access.is_subscribed) == (Phase.active, "pro", Interval.year, True)
    assert access.card == "visa •••• 4242"
    assert host.keys(SubscriptionStarted) == [f"started:{subscription}"]
    assert [(one.before, one.after) for one in host.told if isinstance(one, PhaseChanged)] == [(Phase.trialing, Phase.active)]


def test_a_redirect_before_the_webhook_is_as_good(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")

    assert host.billing.account("a").sync().phase is Phase.active


def test_a_burst_of_eight_events_is_one_fetch(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    before = host.gateway.fetches
    host.hear(customer, times=8)
    host.drain()

    assert host.gateway.fetches - before == 1
    assert {view.state for view in host.billing.inbox()} == {"done"}


def test_an_event_delivered_twice_is_stored_once(host):
    event = host.event()
    first, second = host.billing.receive(*event), host.billing.receive(*event)

    assert (first.is_new, second.is_new) == (True, False)
    assert len(host.billing.inbox()) == 1


def test_a_renewal_is_told_once_however_often_it_is_heard_of(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()
    renewed = host.stripe.renew(subscription)
    for _ in range(3):
        host.hear(customer)
        host.drain()

    assert host.keys(PeriodRenewed) == [f"renewed:{subscription}:{int(renewed.timestamp())}"]


def test_an_unpaid_renewal_is_told_only_when_paid(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()
    host.stripe.renew(subscription, is_paid=False)
    host.hear(customer)
    host.drain()
    unpaid = host.keys(PeriodRenewed)
    host.stripe.pay(subscription)
    host.hear(customer)
    host.drain()

    assert unpaid == []
    assert len(host.keys(PeriodRenewed)) == 1


def test_not_paying_leads_through_grace_and_read_only_to_suspension_and_paying_back(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()
    host.stripe.renew(subscription, is_paid=False)
    host.hear(customer)
    host.drain()
    for _ in range(2):
        host.clock.move(days=7)
        host.billing.sweep()
        host.billing.sweep()
        host.drain()
    host.stripe.pay(subscription)
    host.hear(customer)
    host.drain()

    phases = [one.after for one in host.told if isinstance(one, PhaseChanged)]
    assert phases == [Phase.active, Phase.grace, Phase.read_only, Phase.suspended, Phase.active]


def test_sweep_ends_a_trial_once(host):
    host.start_trial()
    host.clock.move(days=14)

    assert [host.billing.sweep(), host.billing.sweep()] == [1, 0]
    assert host.billing.account("a").access().phase is Phase.read_only


def test_sweep_asks_stripe_before_it_suspends(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.stripe.renew(subscription, is_paid=False)
    host.billing.account("a").sync()
    host.stripe.pay(subscription)
    host.clock.move(days=40)
    host.billing.sweep()

    assert host.billing.account("a").access().phase is Phase.active


def test_sweep_goes_by_what_is_known_while_stripe_is_away(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.stripe.renew(subscription, is_paid=False)
    host.billing.account("a").sync()
    host.clock.move(days=8)
    host.stripe.break_down()

    assert host.billing.sweep() == 1
    assert host.billing.account("a").access().phase is Phase.read_only


def test_a_lost_renewal_webhook_costs_an_hour(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.billing.account("a").sync()
    host.stripe.renew(subscription)
    host.billing.sweep()
    host.drain()

    assert len(host.keys(PeriodRenewed)) == 1


def test_a_change_of_plan_is_told_with_both_plans(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="starter")
    host.billing.account("a").sync()
    host.stripe.change_plan(subscription, plan="pro")
    host.hear(customer)
    host.drain()

    assert [(one.before, one.after) for one in host.told if isinstance(one, PlanChanged)] == [("starter", "pro")]


def test_a_late_end_of_the_old_subscription_does_not_end_the_new_one(host):
    customer = host.customer()
    old = host.stripe.subscribe(customer, plan="starter")
    host.billing.account("a").sync()
    host.clock.move(days=1)
    new = host.stripe.subscribe(customer, plan="pro")
    host.stripe.cancel(old)
    host.hear(customer)
    host.drain()

    assert host.billing.account("a").access().plan_key == "pro"
    assert host.keys()[-2:] == [f"ended:{old}", f"started:{new}"]


def test_a_deleted_customer_has_no_subscription_left(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.billing.account("a").sync()
    host.stripe.api.customers.delete(customer)
    host.hear(customer)
    host.drain()

    assert host.billing.account("a").access().phase is Phase.read_only
    assert host.keys(SubscriptionEnded) == [f"ended:{subscription}"]


def test_a_second_checkout_of_a_subscriber_is_refused(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")

    with pytest.raises(AlreadySubscribed):
        host.billing.account("a").checkout(plan="starter", interval=Interval.month, success_url="https://s", cancel_url="https://c")


def test_only_known_accounts_and_published_plans_can_be_bought(host):
    with pytest.raises(UnknownAccount):
        host.billing.account("x").checkout(plan="starter", interval=Interval.month, success_url="https://s", cancel_url="https://c")
    host.start_trial()
    with pytest.raises(NotPublished):
        host.billing.account("a").checkout(plan="starter", interval=Interval.month, success_url="https://s", cancel_url="https://c")
    with pytest.raises(UnknownPlan):
        host.billing.account("a").checkout(plan="gold", interval=Interval.month, success_url="https://s", cancel_url="https://c")


def test_the_portal_opens_for_customers_only(host):
    host.start_trial()
    with pytest.raises(NoCustomer):
        host.billing.account("a").portal(return_url="https://r")
    host.customer("b")

    assert host.billing.account("b").portal(return_url="http://r").startswith("http://127.0.0.1:4242/p/session/")


def test_publishing_twice_changes_nothing_the_second_time(host):
    first, second = host.billing.publish(), host.billing.publish()

    assert len(first) == 10
    assert second == []


def test_invoices_are_listed_from_the_last_snapshot(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.stripe.renew(subscription, is_paid=False)
    host.billing.account("a").sync()

    assert [(one.amount_minor, one.status) for one in host.billing.account("a").invoices()] == [(5900, "open"), (5900, "paid")]


def test_two_handlers_of_one_name_are_refused(host):
    with pytest.raises(DuplicateHandler):
        host.billing.on(PlanChanged, name="note")(lambda session, event: None)


def test_an_event_that_is_not_stored_cannot_be_replayed(host):
    with pytest.raises(UnknownEvent):
        host.billing.replay("evt_none")
    with pytest.raises(UnknownEvent):
        host.billing.retry("started:none")
