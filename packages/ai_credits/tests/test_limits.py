"""Limits inside an account, on both databases and as pure values."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_ai_credits import EventKind, Limit, Scope, Usage, Window, errors
from roomtone_ai_credits.limits import Tally

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def funded(ledger, account):
    ledger.grant(None, account, amount=1000, key="fund")
    return account


@pytest.fixture
def spend(ledger, funded):
    """Charge whole micro-credits."""
    numbers = iter(range(1000))
    return lambda tokens, **who: (
        ledger.charge(funded, model="unit", usage=Usage(input_tokens=tokens), key=f"work {next(numbers)}", **who).charged
    )


def test_a_hard_limit_refuses_what_is_beyond_it_and_says_which(ledger, funded, spend):
    ledger.set_limit(None, funded, "daily", amount=50, window="day", key="limit")
    spend(40)

    with pytest.raises(errors.LimitReached) as refusal:
        spend(11)

    assert (refusal.value.limit, refusal.value.needed, refusal.value.available) == ("daily", 11, 10)
    assert refusal.value.next_grant_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert spend(10) == 10


def test_each_user_has_a_limit_of_their_own_and_one_may_have_another(ledger, funded, spend):
    ledger.set_limit(None, funded, "seat", scope="user", amount=20, key="each")
    ledger.set_limit(None, funded, "seat", scope="user", subject="boss", amount=100, key="boss")

    spend(20, user="ada")
    spend(20, user="bob")
    spend(100, user="boss")
    spend(300)

    for user, tokens in (("ada", 1), ("boss", 1)):
        with pytest.raises(errors.LimitReached) as refusal:
            spend(tokens, user=user)
        assert (refusal.value.scope, refusal.value.subject) == ("user", user)


def test_the_limit_for_each_returns_when_the_one_for_a_subject_is_removed(ledger, funded, spend):
    ledger.set_limit(None, funded, "seat", scope="user", amount=20, key="each")
    ledger.set_limit(None, funded, "seat", scope="user", subject="boss", amount=100, key="boss")
    spend(60, user="boss")

    ledger.remove_limit(None, funded, "seat", subject="boss", key="remove")

    with pytest.raises(errors.LimitReached) as refusal:
        spend(1, user="boss")
    assert refusal.value.available == -40


@pytest.mark.parametrize("scope", ["account", "team", "user", "feature", "key"])
def test_every_scope_counts_and_the_widest_refuses_first(ledger, funded, spend, scope):
    order = ["account", "team", "user", "feature", "key"]
    who = {"team": "blue", "user": "ada", "feature": "chat", "api_key": "k1"}
    for wide in order[order.index(scope) :]:
        ledger.set_limit(None, funded, f"{wide}s", scope=wide, amount=10, key=wide)

    with pytest.raises(errors.LimitReached) as refusal:
        spend(11, **who)

    assert refusal.value.scope == scope
    assert spend(10, **who) == 10


def test_a_use_that_names_nobody_is_counted_for_nobody(ledger, funded, spend):
    ledger.set_limit(None, funded, "seat", scope="user", amount=5, key="each")

    assert spend(50, feature="ada") == 50


def test_open_holds_count_and_what_they_give_back_is_free_again(ledger, funded, clock):
    ledger.set_limit(None, funded, "seat", scope="user", amount=100, key="each")
    holds = [ledger.hold(funded, model="unit", estimate=Usage(input_tokens=50), key=f"turn {n}", user="ada") for n in range(2)]
    with pytest.raises(errors.LimitReached):
        ledger.hold(funded, model="unit", estimate=Usage(input_tokens=1), key="turn 3", user="ada")

    ledger.settle(holds[0].id, Usage(input_tokens=20))
    clock.advance(seconds=601)

    told = ledger.explain(funded, model="unit", estimate=Usage(input_tokens=81), user="ada")
    assert [left for _, left in told.limits] == [80]
    assert isinstance(told.refusal, errors.LimitReached)
    assert ledger.max_affordable(funded, model="unit", prompt=Usage(input_tokens=20), most=99, user="ada") == 20


def test_a_stream_stops_at_a_limit(ledger, funded):
    ledger.set_limit(None, funded, "seat", scope="user", amount=50, key="each")

    with ledger.meter(funded, model="unit", estimate=Usage(input_tokens=10), key="turn", user="ada") as call:
        told = [call.observe(Usage(input_tokens=tokens)) for tokens in (10, 40, 50, 51)]
        call.settle(Usage(input_tokens=50))

    assert told == [True, True, True, False]


def test_a_limit_lowered_during_a_call_refuses_no_settlement_and_tells(ledger, funded):
    ledger.set_limit(None, funded, "seat", scope="user", amount=100, key="each")
    hold = ledger.hold(funded, model="unit", estimate=Usage(input_tokens=80), key="turn", user="ada")
    ledger.set_limit(None, funded, "seat", scope="user", amount=10, key="lowered")

    settled = ledger.settle(hold.id, Usage(input_tokens=80))

    (event,) = [event for event in ledger.events(1000) if event.account == funded]
    assert (settled.charged, settled.debt) == (80, 0)
    assert (event.kind, event.data["limit"], event.data["spent"]) == (EventKind.limit_passed, "seat", 80)


def test_a_soft_limit_tells_once_and_refuses_nothing(ledger, funded, spend):
    ledger.set_limit(None, funded, "soft", amount=50, is_hard=False, key="soft")

    spent = [spend(30) for _ in range(4)]

    told = [event.data["spent"] for event in ledger.events(1000) if event.account == funded]
    assert (spent, told) == ([30] * 4, [60])


def test_a_calendar_window_begins_anew_on_the_wall_clock(ledger, funded, spend, clock):
    ledger.set_limit(None, funded, "daily", amount=50, window="day", timezone="Europe/Paris", key="limit")
    spend(50)  # at one in the morning in Paris
    clock.advance(seconds=23 * 3600 - 1)
    with pytest.raises(errors.LimitReached):
        spend(1)

    clock.advance(seconds=1)

    assert spend(50) == 50


def test_a_rolling_window_never_lets_more_through_in_any_stretch_of_its_length(ledger, funded, spend, clock):
    ledger.set_limit(None, funded, "hourly", amount=60, window="rolling", length_s=3600, key="limit")
    made, returns = [], []
    for _ in range(40):
        clock.advance(seconds=233)
        try:
            made.append((clock.now, spend(20)))
        except errors.LimitReached as refusal:
            returns.append(refusal.next_grant_at - clock.now)

    hour = timedelta(hours=1)
    assert len(made) > 5
    assert min(returns) > timedelta()
    assert all(sum(part for at, part in made if begin <= at < begin + hour) <= 60 for begin, _ in made)


def test_a_charge_that_is_put_back_goes_on_counting(ledger, funded, spend):
    ledger.set_limit(None, funded, "monthly", amount=50, key="limit")
    ledger.charge(funded, model="unit", usage=Usage(input_tokens=50), key="bad")

    ledger.reverse(None, funded, key="bad", reason="empty answer", actor="support")

    with pytest.raises(errors.LimitReached):
        spend(1)
    assert ledger.balance(funded).available == 1000


def test_a_limit_set_while_a_hold_is_open_counts_its_charge_and_not_its_promise(ledger, funded):
    hold = ledger.hold(funded, model="unit", estimate=Usage(input_tokens=50), key="turn", user="ada")
    ledger.set_limit(None, funded, "seat", scope="user", amount=60, key="each")

    ledger.settle(hold.id, Usage(input_tokens=40))

    told = ledger.explain(funded, model="unit", estimate=Usage(), user="ada")
    assert [left for _, left in told.limits] == [20]


def test_sixteen_threads_of_one_user_never_pass_a_limit(ledger, funded):
    ledger.set_limit(None, funded, "seat", scope="user", amount=100, key="each")

    def work(number):
        try:
            return ledger.charge(funded, model="unit", usage=Usage(input_tokens=7), key=f"work {number}", user="ada").charged
        except errors.LimitReached:
            return 0

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(work, range(64))) == 98


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"scope": "planet"}, "scope"),
        ({"window": "year"}, "window"),
        ({"window": "rolling"}, "length_s"),
        ({"length_s": 5}, "length_s"),
        ({"subject": "ada"}, "subject"),
        ({"timezone": "Mars/Base"}, "timezone"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(ledger, account, rule, field):
    with pytest.raises(errors.BadInput) as refusal:
        ledger.set_limit(None, account, "rule", **{"amount": 5, "key": "limit", **rule})

    assert refusal.value.field == field


def test_limits_of_one_name_have_one_scope(ledger, funded):
    ledger.set_limit(None, funded, "seat", scope="user", amount=5, key="user")

    with pytest.raises(errors.BadInput):
        ledger.set_limit(None, funded, "seat", scope="team", amount=5, key="team")


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.sampled_from([Window.day, Window.week, Window.month]))  # noqa: DTZ001
def test_every_instant_is_in_the_one_window_that_begins_at_its_slot(naive, window):
    now = naive.replace(tzinfo=UTC)
    limit = Limit(name="n", scope=Scope.account, amount=1, window=window, timezone="Europe/Paris")

    slot, resets_at = limit.slot(now), limit.resets_at(Tally(name="n", subject=""), now)

    assert slot <= now < resets_at
    assert limit.slot(resets_at) == resets_at
    assert limit.slot(resets_at - timedelta(microseconds=1)) == slot
    assert slot.astimezone(PARIS).hour == 0
