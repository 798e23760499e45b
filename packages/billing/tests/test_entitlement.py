"""A decision follows from facts and time alone, and says truly why and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing import Catalogue, GracePolicy, Interval, Phase, Plan, Price
from roomtone_billing.access import Trial, decide
from roomtone_billing.counting_period import period_at
from roomtone_billing.decision import Decision, Source
from roomtone_billing.entitlement import Facts, Held, Override, decide_on
from roomtone_billing.errors import UnknownFeature
from roomtone_billing.snapshot import PriceRef, Snapshot, Status, Subscription

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CATALOGUE = Catalogue(
    plans=(
        Plan("small", "Small", (Price(Interval.month, 900),), trial_days=14, limits={"exports": 5, "seats": 0}),
        Plan("large", "Large", (Price(Interval.month, 1900),), features=("exports", "sso"), limits={"seats": 3}),
    )
)
FEATURES = ("exports", "seats", "sso")


def asked(facts: Facts, feature: str = "exports", amount: int = 1, now: datetime = START) -> Decision:
    access = decide(facts.account, trial=facts.trial, snapshot=facts.snapshot, catalogue=CATALOGUE, policy=GracePolicy(), now=now)
    return decide_on(facts, feature, amount, access=access, catalogue=CATALOGUE, now=now)


def subscribed(plan: str, status: Status = Status.active, ended_at: datetime | None = None) -> Snapshot:
    price = PriceRef(id="p", plan=plan, interval=Interval.month)
    times = {"created_at": START, "period_start": START, "period_end": START + 31 * DAY, "ended_at": ended_at}
    return Snapshot(customer="c", subscriptions=(Subscription(id="s", status=status, price=price, **times),))


def exception(source: Source, units: int | None, *, number: int = 1, until: datetime | None = None) -> Override:
    return Override(
        id=number, feature="exports", source=source, units=units, reason="asked nicely", actor="ada", created_at=START, until=until
    )


TRIAL = Trial(plan_key="small", interval=Interval.month, started_at=START, until=START + 14 * DAY)


@pytest.mark.parametrize(
    ("facts", "source", "is_allowed", "sentence"),
    [
        (Facts(account="a"), Source.plan, False, "An account without a plan does not include exports."),
        (Facts(account="a", trial=TRIAL), Source.trial, True, "Plan Small, on trial, includes 5 of exports until 2026-02-10; 0 are used."),
        (Facts(account="a", snapshot=subscribed("large")), Source.plan, True, "Plan Large includes exports."),
        (
            Facts(account="a", snapshot=subscribed("small"), used={("exports", START): 5}),
            Source.plan,
            False,
            "Plan Small includes 5 of exports until 2026-02-10; 5 are used, so 1 more do not fit.",
        ),
        (Facts(account="a", snapshot=subscribed("large", Status.past_due)), Source.grace, True, "Plan Large, while a payment is missing,"),
        (
            Facts(account="a", snapshot=subscribed("large", Status.canceled, START), overrides=(exception(Source.override, None),)),
            Source.suspension,
            False,
            "The account is read-only: its trial or plan ended",
        ),
        (Facts(account="a", overrides=(exception(Source.override, None),)), Source.override, True, "An exception made for this account"),
        (
            Facts(
                account="a",
                snapshot=subscribed("small"),
                used={("exports", START): 5},
                overrides=(exception(Source.credit, 2, until=START + DAY),),
            ),
            Source.credit,
            True,
            "Plan Small includes 7 of exports until 2026-02-10, credits included; 5 are used.",
        ),
    ],
)
def test_each_source_says_who_it_is(facts, source, is_allowed, sentence):
    said = asked(facts)

    assert (said.source, said.allowed) == (source, is_allowed)
    assert sentence in said.reason


@pytest.mark.parametrize("days", [0, 8, 400])
def test_nothing_is_left_of_a_plan_that_ended_however_long_ago(days):
    facts = Facts(account="a", snapshot=subscribed("large", Status.canceled, START), overrides=(exception(Source.override, None),))
    said = asked(facts, now=START + days * DAY)

    assert (said.allowed, said.source, said.limit) == (False, Source.suspension, 0)


def test_the_words_of_staff_do_not_reach_the_customer():
    assert "nicely" not in asked(Facts(account="a", overrides=(exception(Source.override, 0),))).reason


def test_the_newest_of_two_exceptions_counts_and_the_older_one_after_it():
    older, newer = exception(Source.override, 9), exception(Source.override, 0, number=2, until=START + DAY)
    facts = Facts(account="a", snapshot=subscribed("small"), overrides=(newer, older))

    assert [asked(facts, now=now).limit for now in (START, START + DAY)] == [0, 9]
    assert asked(facts).until == START + DAY


def test_what_was_used_of_a_larger_plan_does_not_eat_the_credits():
    facts = Facts(account="a", snapshot=subscribed("small"), used={("exports", START): 100}, overrides=(exception(Source.credit, 2),))

    assert asked(facts).remaining == 2


def test_pitfall_12_a_feature_no_plan_names_is_an_error_and_a_foreign_price_gives_nothing():
    with pytest.raises(UnknownFeature, match="'export'; the catalogue has exports, seats, sso"):
        asked(Facts(account="a"), "export")

    assert not asked(Facts(account="a", snapshot=subscribed("foreign"))).allowed


def test_nothing_is_not_asked_for():
    with pytest.raises(ValueError, match="nothing to ask for"):
        asked(Facts(account="a"), amount=0)


def naive(facts: Facts, feature: str, amount: int, now: datetime) -> tuple[bool, Source]:
    """The stated precedence, written down a second time with one unit taken after another."""
    access = decide(facts.account, trial=facts.trial, snapshot=facts.snapshot, catalogue=CATALOGUE, policy=GracePolicy(), now=now)
    if access.phase in (Phase.read_only, Phase.suspended, Phase.ended):
        return False, Source.suspension
    source = {"trialing": Source.trial, "grace": Source.grace}.get(access.phase, Source.plan)
    plans = [plan for plan in CATALOGUE.plans if plan.key == access.plan_key and access.phase is not Phase.none]
    slots: int | None = 0
    for plan in plans:
        if feature in plan.limits:
            slots = plan.limits[feature]
        elif feature in plan.features:
            slots = None
    extra = 0
    for one in sorted(facts.overrides, key=lambda one: (one.created_at, one.id)):
        if one.feature != feature or one.revoked_at is not None or (one.until is not None and one.until <= now):
            continue
        if one.source is Source.credit:
            extra += one.units
        else:
            slots, source = one.units, Source.override
    if slots is None:
        return True, source
    free = ["own"] * slots
    del free[: facts.used.get((feature, period_at(facts.trial, facts.snapshot, now).start), 0)]
    free += ["credit"] * extra
    for one in facts.holds:
        if one.feature == feature and one.until > now:
            del free[: one.units]
    if len(free) < amount:
        return False, source
    return True, Source.credit if free[amount - 1] == "credit" else source


moments = st.integers(0, 60 * 24).map(lambda hours: START + timedelta(hours=hours))
small = st.integers(0, 6)
snapshots = st.builds(
    subscribed,
    st.sampled_from(["small", "large", "foreign"]),
    st.sampled_from([Status.active, Status.trialing, Status.past_due, Status.unpaid, Status.canceled]),
    moments,
)


@st.composite
def all_facts(draw) -> Facts:
    overrides = draw(st.lists(st.tuples(st.sampled_from(FEATURES), st.booleans(), small, st.none() | moments, st.booleans()), max_size=4))
    return Facts(
        account="a",
        trial=draw(st.none() | st.just(TRIAL)),
        snapshot=draw(st.none() | snapshots),
        overrides=tuple(
            replace(
                exception(Source.credit if is_credit else Source.override, units if units or is_credit else None, number=at, until=until),
                feature=feature,
                revoked_at=START if is_revoked else None,
            )
            for at, (feature, is_credit, units, until, is_revoked) in enumerate(overrides)
        ),
        used={(feature, START): draw(small) for feature in FEATURES},
        holds=tuple(
            Held(feature=feature, units=units, until=until)
            for feature, units, until in draw(st.lists(st.tuples(st.sampled_from(FEATURES), small, moments), max_size=2))
        ),
    )


@given(facts=all_facts(), feature=st.sampled_from(FEATURES), amount=st.integers(1, 6), now=moments)
def test_the_decision_is_what_a_naive_reading_of_the_precedence_gives(facts, feature, amount, now):
    said = asked(facts, feature, amount, now)

    assert (said.allowed, said.source) == naive(facts, feature, amount, now)
    assert said.remaining is None or said.allowed == (amount <= said.remaining)
    assert said.until is None or said.until > now


@given(facts=all_facts(), feature=st.sampled_from(FEATURES), amount=st.integers(1, 6), now=moments, share=st.integers(0, 999))
def test_until_the_moment_it_names_time_alone_does_not_change_it(facts, feature, amount, now, share):
    said = asked(facts, feature, amount, now)
    later = asked(facts, feature, amount, now + ((said.until or now + 90 * DAY) - now) * share // 1000)

    assert (later.allowed, later.limit, later.remaining, later.source) == (said.allowed, said.limit, said.remaining, said.source)
