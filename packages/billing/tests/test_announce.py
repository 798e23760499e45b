"""What is announced: each fact once, in whatever steps the truth was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing import announce as announcements
from roomtone_billing.announce import Announced, announce
from roomtone_billing.events import PeriodRenewed, PlanChanged, SubscriptionEnded, SubscriptionStarted, TrialStarted
from roomtone_billing.plans import Catalogue, Interval, Plan, Price
from roomtone_billing.snapshot import Invoice, PriceRef, Snapshot, Status, Subscription

T0 = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = Catalogue(plans=tuple(Plan(key, key.title(), (Price(Interval.month, 1900),)) for key in ("starter", "pro")))


def subscription(name="sub_1", status=Status.active, *, plan="starter", period=0, interval=Interval.month, **fields):
    start = T0 + timedelta(days=30 * period)
    price = PriceRef(id=f"price_{plan}", plan=plan, interval=interval)
    return Subscription(
        id=name, status=status, created_at=T0, price=price, period_start=start, period_end=start + timedelta(days=30), **fields
    )


def tell(told: Announced, *listed: Subscription, invoices: tuple[Invoice, ...] = ()):
    truth = Snapshot(customer="c", subscriptions=listed, invoices=invoices)
    return announce(told, truth, account="a", catalogue=CATALOGUE, now=T0)


def unpaid(period=0) -> Invoice:
    return Invoice(
        id="in_1",
        subscription="sub_1",
        status="open",
        reason="subscription_cycle",
        number=None,
        amount_minor=1900,
        currency="EUR",
        created_at=T0 + timedelta(days=30 * period),
    )


def kinds(events) -> list[type]:
    return [type(event) for event in events]


def run(*steps: tuple[Subscription, ...]):
    told, events = Announced(), []
    for listed in steps:
        told, more = tell(told, *listed)
        events += more
    return events


def test_a_subscription_starts_once_and_renews_once_a_period():
    events = run((subscription(),), (subscription(),), (subscription(period=1),), (subscription(period=1),))

    assert kinds(events) == [SubscriptionStarted, PeriodRenewed]
    assert [event.key for event in events] == ["started:sub_1", f"renewed:sub_1:{int((T0 + timedelta(days=30)).timestamp())}"]


def test_periods_nobody_saw_are_not_made_up():
    events = run((subscription(),), (subscription(period=5),))

    assert kinds(events) == [SubscriptionStarted, PeriodRenewed]


def test_a_renewal_waits_for_its_money():
    told, _ = tell(Announced(), subscription())
    told, while_open = tell(told, subscription(period=1), invoices=(unpaid(period=1),))
    _, when_paid = tell(told, subscription(period=1))

    assert (kinds(while_open), kinds(when_paid)) == ([], [PeriodRenewed])


def test_a_change_of_plan_and_back_is_two_facts():
    events = run((subscription(),), (subscription(plan="pro"),), (subscription(),))

    assert [event.key for event in events[1:]] == ["plan:a:1", "plan:a:2"]
    assert [(event.before, event.after) for event in events[1:]] == [("starter", "pro"), ("pro", "starter")]


def test_a_change_seen_together_with_a_new_period_is_told_first():
    events = run((subscription(),), (subscription(plan="pro", period=1),))

    assert kinds(events) == [SubscriptionStarted, PlanChanged, PeriodRenewed]


def test_another_interval_is_a_change_of_plan():
    events = run((subscription(),), (subscription(interval=Interval.year),))

    assert kinds(events) == [SubscriptionStarted, PlanChanged]


def test_a_trial_of_stripes_is_a_trial_until_it_is_paid():
    trial = subscription(status=Status.trialing, trial_end=T0 + timedelta(days=14))
    events = run((trial,), (trial,), (subscription(period=1),))

    assert kinds(events) == [TrialStarted, SubscriptionStarted]


def test_the_end_is_told_once_and_only_of_what_started():
    canceled = subscription(status=Status.canceled, ended_at=T0)

    assert kinds(run((subscription(),), (canceled,), (canceled,))) == [SubscriptionStarted, SubscriptionEnded]
    assert run((canceled,)) == []


def test_the_end_of_one_and_the_start_of_the_next_are_told_in_that_order():
    canceled = subscription(status=Status.canceled, ended_at=T0)

    assert [event.key for event in run((subscription(),), (canceled, subscription("sub_2")))][1:] == ["ended:sub_1", "started:sub_2"]


def test_the_end_of_a_second_one_gives_the_first_its_place_back():
    past_due = subscription(status=Status.past_due)
    second = subscription("sub_2", plan="pro")
    events = run((subscription(),), (past_due, second), (subscription(), replace(second, status=Status.canceled)))

    assert kinds(events) == [SubscriptionStarted, SubscriptionStarted, SubscriptionEnded, PlanChanged]
    assert (events[-1].before, events[-1].after) == ("pro", "starter")


def test_a_price_foreign_to_the_catalogue_is_not_told_of():
    assert run((subscription(plan="gold"),)) == []


def test_incomplete_and_past_due_start_nothing():
    assert run((subscription(status=Status.incomplete),), (subscription(status=Status.past_due),)) == []


@given(
    st.lists(
        st.builds(
            subscription,
            status=st.sampled_from([Status.active, Status.past_due, Status.incomplete]),
            plan=st.sampled_from(["starter", "pro", "gold"]),
            period=st.integers(0, 3),
        ),
        max_size=8,
    )
)
def test_every_key_is_told_once_and_seeing_a_truth_again_tells_nothing(steps):
    once = run(*((step,) for step in steps))
    twice = run(*((step,) for step in steps for _ in range(2)))

    assert once == twice
    assert len({event.key for event in once}) == len(once)


@given(st.lists(st.sampled_from(["starter", "pro"]), min_size=1, max_size=6))
def test_after_any_changes_the_last_event_names_the_plan_it_is_on(plans):
    events = run(*((subscription(plan=plan),) for plan in plans))
    named = [event.after if isinstance(event, PlanChanged) else event.plan_key for event in events]

    assert named[-1] == plans[-1]


def test_what_was_told_survives_being_stored():
    told, _ = tell(Announced(), subscription())

    assert announcements.from_json(announcements.to_json(told)) == told
