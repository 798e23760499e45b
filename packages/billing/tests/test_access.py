"""The fold: every status, every deadline."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing.access import GracePolicy, Phase, Trial, check_at, decide
from roomtone_billing.plans import Catalogue, Interval, Plan, Price
from roomtone_billing.snapshot import Invoice, Pause, PriceRef, Snapshot, Status, Subscription

T0 = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = Catalogue(plans=(Plan("starter", "Starter", (Price(Interval.month, 1900),)),))
TRIAL = Trial(plan_key="starter", interval=Interval.month, started_at=T0, until=T0 + timedelta(days=14))
_ORDER = [Phase.trialing, Phase.active, Phase.grace, Phase.read_only, Phase.suspended]


def day(number: float) -> datetime:
    return T0 + timedelta(days=number)


def truth(status: Status, *, plan: str | None = "starter", owed_since: datetime | None = None, **fields) -> Snapshot:
    one = Subscription(
        id="sub_1",
        status=status,
        created_at=T0,
        price=PriceRef(id="price_1", plan=plan, interval=Interval.month),
        period_start=T0,
        period_end=day(30),
        **fields,
    )
    owed = Invoice(
        id="in_1",
        subscription="sub_1",
        status="open",
        reason="subscription_cycle",
        number=None,
        amount_minor=1900,
        currency="EUR",
        created_at=T0,
        owed_since=owed_since,
    )
    return Snapshot(customer="c", subscriptions=(one,), invoices=(owed,) if owed_since else ())


def at(number: float, snapshot: Snapshot | None = None, trial: Trial | None = None, policy: GracePolicy | None = None):
    policy = policy or GracePolicy()
    return decide("a", trial=trial, snapshot=snapshot, catalogue=CATALOGUE, policy=policy, now=day(number))


@pytest.mark.parametrize(
    ("snapshot", "number", "phase", "until"),
    [
        (truth(Status.active), 5, Phase.active, None),
        (truth(Status.active), 400, Phase.active, None),
        (truth(Status.active, cancel_at=day(30)), 5, Phase.active, day(30)),
        (truth(Status.active, cancel_at=day(30)), 30, Phase.read_only, day(37)),
        (truth(Status.active, cancel_at=day(30)), 37, Phase.suspended, None),
        (truth(Status.trialing, trial_end=day(14)), 5, Phase.trialing, day(14)),
        (truth(Status.trialing, trial_end=day(14)), 15, Phase.trialing, None),
        (truth(Status.trialing, trial_end=day(14), cancel_at=day(14)), 5, Phase.trialing, day(14)),
        (truth(Status.past_due, owed_since=day(10), cancel_at=day(12)), 13, Phase.read_only, day(19)),
        (truth(Status.past_due, owed_since=day(10), cancel_at=day(30)), 31, Phase.suspended, None),
        (truth(Status.past_due, owed_since=day(10)), 10, Phase.grace, day(17)),
        (truth(Status.past_due, owed_since=day(10)), 17, Phase.read_only, day(24)),
        (truth(Status.past_due, owed_since=day(10)), 24, Phase.suspended, None),
        (truth(Status.unpaid, owed_since=day(10)), 17, Phase.read_only, day(24)),
        (truth(Status.paused, pause=Pause.final_payment, owed_since=day(10)), 24, Phase.suspended, None),
        (truth(Status.paused, pause=Pause.first_payment, owed_since=day(10)), 12, Phase.grace, day(17)),
        (truth(Status.paused, pause=Pause.system, owed_since=day(10)), 12, Phase.grace, day(17)),
        (truth(Status.paused, owed_since=day(10)), 12, Phase.grace, day(17)),
        (truth(Status.paused, pause=Pause.requested, paused_at=day(3)), 300, Phase.read_only, None),
        (truth(Status.paused, pause=Pause.trial_without_card, trial_end=day(14)), 14, Phase.read_only, day(21)),
        (truth(Status.canceled, ended_at=day(10)), 10, Phase.read_only, day(17)),
        (truth(Status.canceled, ended_at=day(10)), 17, Phase.suspended, None),
        (truth(Status.canceled, ended_at=day(20), ended_unpaid=True, owed_since=day(2)), 20, Phase.suspended, None),
        (truth(Status.canceled, ended_at=day(4), ended_unpaid=True, owed_since=day(2)), 5, Phase.read_only, day(11)),
        (truth(Status.incomplete), 1, Phase.none, None),
        (truth(Status.canceled, ended_at=day(15), ended_unpaid=True, owed_since=day(2)), 15, Phase.read_only, day(16)),
        (truth(Status.incomplete_expired), 1, Phase.none, None),
        (None, 1, Phase.none, None),
    ],
)
def test_every_status_has_its_phase(snapshot, number, phase, until):
    access = at(number, snapshot)

    assert (access.phase, access.until) == (phase, until)


@pytest.mark.parametrize(("number", "phase"), [(0, Phase.trialing), (13.9, Phase.trialing), (14, Phase.read_only), (21, Phase.suspended)])
def test_a_local_trial_ends_in_read_only_then_suspension(number, phase):
    assert at(number, trial=TRIAL).phase is phase


def test_a_checkout_not_paid_for_leaves_the_trial_alone_and_a_paid_one_replaces_it():
    assert at(1, truth(Status.incomplete), trial=TRIAL).phase is Phase.trialing
    assert at(1, truth(Status.active), trial=TRIAL).phase is Phase.active
    assert at(2, truth(Status.canceled, ended_at=day(1)), trial=TRIAL).phase is Phase.read_only


def test_a_price_foreign_to_the_catalogue_is_no_plan_of_ours():
    access = at(1, truth(Status.active, plan="gold"))

    assert (access.phase, access.plan_key) == (Phase.active, None)


def test_what_each_phase_allows():
    allowed = {phase: (access.may_read, access.may_write) for phase in Phase if (access := _of(phase))}

    assert allowed == {
        Phase.none: (True, False),
        Phase.trialing: (True, True),
        Phase.active: (True, True),
        Phase.grace: (True, True),
        Phase.read_only: (True, False),
        Phase.suspended: (False, False),
        Phase.ended: (False, False),
    }


def _of(phase: Phase):
    by_phase = {
        Phase.none: at(0),
        Phase.trialing: at(0, trial=TRIAL),
        Phase.active: at(0, truth(Status.active)),
        Phase.grace: at(0, truth(Status.past_due, owed_since=T0)),
        Phase.read_only: at(7, truth(Status.past_due, owed_since=T0)),
        Phase.ended: at(44, truth(Status.past_due, owed_since=T0), policy=GracePolicy(suspended_days=30)),
        Phase.suspended: at(14, truth(Status.past_due, owed_since=T0)),
    }
    assert by_phase[phase].phase is phase
    return by_phase[phase]


def test_a_policy_of_no_days_suspends_at_once():
    policy = GracePolicy(grace_days=0, read_only_days=0)

    assert at(0, truth(Status.past_due, owed_since=T0), policy=policy).phase is Phase.suspended


def test_days_cannot_be_negative():
    with pytest.raises(ValueError, match="from 0 upwards"):
        GracePolicy(grace_days=-1)


def test_news_of_the_next_period_is_missed_an_hour_after_it_began_and_every_hour_then():
    snapshot = truth(Status.active)

    assert check_at(at(5, snapshot), snapshot, day(5)) == day(30) + timedelta(hours=1)
    assert check_at(at(40, snapshot), snapshot, day(40)) == day(40) + timedelta(hours=1)


@given(
    status=st.sampled_from(Status),
    pause=st.none() | st.sampled_from(Pause),
    owed=st.none() | st.integers(0, 40).map(day),
    end=st.none() | st.integers(0, 40).map(day),
    cancel=st.none() | st.integers(0, 40).map(day),
    moments=st.lists(st.floats(0, 90), min_size=2, max_size=6).map(sorted),
)
def test_without_news_access_only_ever_shrinks_and_changes_exactly_at_until(status, pause, owed, end, cancel, moments):
    snapshot = truth(status, owed_since=owed, pause=pause, ended_at=end, cancel_at=cancel, trial_end=day(14))
    stretches = [at(moment, snapshot) for moment in moments]

    for (moment, earlier), (next_moment, later) in itertools.pairwise(zip(moments, stretches, strict=True)):
        assert earlier.phase is Phase.none or _ORDER.index(later.phase) >= _ORDER.index(earlier.phase)
        if earlier.phase is not later.phase:
            assert earlier.until is not None
            assert day(moment) < earlier.until <= day(next_moment)
