"""What an account is told while it owes: each notice once, in the phase that holds, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing import Access, Cause, GracePolicy, Interval, NoticeDue, NoticePolicy, Phase
from roomtone_billing.access import decide
from roomtone_billing.notices import due, next_at
from roomtone_billing.plans import Catalogue, Plan, Price
from roomtone_billing.snapshot import Invoice, Pause, PriceRef, Snapshot, Status, Subscription

T0 = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = Catalogue(plans=(Plan("starter", "Starter", (Price(Interval.month, 1900),)),))
# The ways in which Stripe's settings let the retries of a payment end.
ENDS = [
    {"status": Status.past_due},
    {"status": Status.unpaid},
    {"status": Status.paused, "pause": Pause.final_payment},
    {"status": Status.canceled, "ended_unpaid": True, "ended_at": T0 + timedelta(days=16)},
]


@pytest.fixture
def told(host):
    notices: list[NoticeDue] = []

    @host.billing.on(NoticeDue, name="notices")
    def note(session, event):
        notices.append(event)

    return notices


def owing(**fields) -> Snapshot:
    price = PriceRef(id="p", plan="starter", interval=Interval.month)
    values = {"created_at": T0, "period_start": T0, "period_end": T0 + timedelta(days=30), "price": price} | fields
    invoice = Invoice(
        id="in_1",
        subscription="sub_1",
        status="open",
        reason="subscription_cycle",
        number=None,
        amount_minor=1900,
        currency="EUR",
        created_at=T0,
        owed_since=T0,
    )
    return Snapshot(customer="c", subscriptions=(Subscription(id="sub_1", **values),), invoices=(invoice,))


def modelled(day: int, policy: GracePolicy) -> Phase:
    """What an account that stopped paying on day 0 may do, said once more."""
    for length, phase in ((policy.grace_days, Phase.grace), (policy.read_only_days, Phase.read_only)):
        if day < length:
            return phase
        day -= length
    return Phase.ended if policy.suspended_days is not None and day >= policy.suspended_days else Phase.suspended


@given(
    st.sampled_from(ENDS),
    st.integers(17, 400),
    st.builds(GracePolicy, grace_days=st.integers(0, 40), read_only_days=st.integers(0, 40), suspended_days=st.none() | st.integers(0, 90)),
)
def test_every_end_of_the_retries_leads_to_the_configured_outcome(end, day, policy):
    access = decide("a", trial=None, snapshot=owing(**end), catalogue=CATALOGUE, policy=policy, now=T0 + timedelta(days=day))

    # An end that Stripe dates itself may begin the stricter phases earlier, never later.
    expected = modelled(day, policy)
    order = list(Phase)
    assert order.index(access.phase) >= order.index(expected)
    assert end["status"] is Status.canceled or access.phase is expected
    assert access.cause is Cause.payment_failed


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.lists(st.integers(0, 20), max_size=4, unique=True))
def test_looking_more_often_tells_the_same_and_nothing_twice(steps, days):
    policy, told, now = NoticePolicy(grace_days=tuple(days)), [], T0
    for step in steps:
        now += timedelta(days=step)
        access = decide("a", trial=None, snapshot=owing(status=Status.past_due), catalogue=CATALOGUE, policy=GracePolicy(), now=now)
        day = due(access, policy, now)
        if day is not None and (access.phase, day) not in told:
            told.append((access.phase, day))

        assert access.phase is not Phase.grace or all(day <= (now - T0).days for phase, day in told if phase is Phase.grace)
    assert len(told) == len(set(told))


def test_the_next_look_is_when_the_next_notice_is_due():
    access = Access(account="a", phase=Phase.grace, since=T0, until=T0 + timedelta(days=7))

    assert next_at(access, NoticePolicy(), T0) == T0 + timedelta(days=3)
    assert next_at(access, NoticePolicy(grace_days=(0, 9)), T0) is None


def days(told: list[NoticeDue]) -> list[tuple[Phase, int]]:
    return [(one.phase, one.day) for one in told]


def test_an_account_that_owes_is_told_day_by_day_and_once_each(host, told):
    account, subscription = host.subscribed()
    host.stripe.renew(subscription, is_paid=False)
    account.sync()
    for _ in range(50):
        host.clock.move(hours=12)
        host.billing.sweep()
        host.drain()

    expected = [(Phase.grace, 0), (Phase.grace, 3), (Phase.grace, 6), (Phase.read_only, 0), (Phase.suspended, 0)]
    assert [one for one in days(told) if one[0] is not Phase.trialing] == expected
    assert all(one.url.startswith("http") and one.cause is Cause.payment_failed for one in told if one.phase is not Phase.trialing)


def test_a_jump_of_forty_days_tells_only_what_holds_then(host, told):
    account, subscription = host.subscribed()
    host.stripe.renew(subscription, is_paid=False)
    account.sync()
    host.clock.move(days=40)
    host.billing.sweep()
    host.billing.sweep()
    host.drain()

    assert days(told) == [(Phase.grace, 0), (Phase.suspended, 0)]


def test_the_end_of_a_trial_is_announced_before(host, told):
    host.start_trial()
    host.clock.move(days=11, minutes=1)
    host.billing.sweep()
    host.drain()

    assert days(told) == [(Phase.trialing, 3)]
    assert told[0].until == host.clock() + timedelta(days=3, minutes=-1)


def test_a_new_card_pays_what_is_owed_and_lifts_only_what_billing_closed(host):
    account, subscription = host.subscribed()
    host.stripe.renew(subscription, is_paid=False)
    host.clock.move(days=20)
    assert account.sync().phase is Phase.suspended
    assert account.retry_payments().phase is Phase.suspended
    host.stripe.offline.decline(host.stripe.api.subscriptions.retrieve(subscription).customer, declining=False)

    assert account.retry_payments().phase is Phase.active


@pytest.mark.parametrize("setting", ["canceled", "unpaid", "past_due"])
def test_stripes_setting_for_the_end_of_retries_does_not_decide_the_outcome(host, setting):
    world = host.stripe.offline.world
    world.settings = type(world.settings)(**{**vars(world.settings), "after_retries": setting})
    account, subscription = host.subscribed()
    host.stripe.renew(subscription, is_paid=False)
    host.clock.move(days=20)

    assert (account.sync().phase, account.access().cause) == (Phase.suspended, Cause.payment_failed)
