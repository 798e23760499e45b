"""What a room costs."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.contexts.scheduling.prices import NoRate, Rate, lowest_hourly, price
from studio.contexts.scheduling.values import Span

PARIS = ZoneInfo("Europe/Paris")
ROOM = 3


def rate(number=1, **facts):
    return Rate(
        **(
            {"id": number, "public_id": str(number), "room_id": None, "name": f"rate {number}", "hourly_minor": 5000, "currency": "EUR"}
            | facts
        )
    )


def span(start, minutes):
    return Span(starts_at=start, ends_at=start + timedelta(minutes=minutes))


edges = st.integers(0, 1440)
specials = st.lists(
    st.builds(
        lambda n, low, high, days, room, hourly: rate(
            n + 2, priority=n + 1, from_minute=min(low, high), to_minute=max(low, high), weekdays=days, room_id=room, hourly_minor=hourly
        ),
        st.integers(0, 9),
        edges,
        edges,
        st.none() | st.frozensets(st.integers(0, 6)),
        st.sampled_from([None, ROOM, 4]),
        st.integers(0, 20000),
    ),
    max_size=4,
    unique_by=lambda r: r.id,
)
starts = st.sampled_from([datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)]).flatmap(
    lambda day: st.integers(0, 3 * 1440).map(lambda m: day + timedelta(minutes=m))
)


def minute_by_minute(rates, asked):
    """Each minute at the highest rule that applies, grouped by rule."""
    ranked = sorted((r for r in rates if r.room_id in (None, ROOM)), key=lambda r: (-r.priority, r.room_id is None, r.id))
    found = {}
    for minute in range(asked.minutes):
        wall = (asked.starts_at + timedelta(minutes=minute)).astimezone(PARIS)
        rule = next(r for r in ranked if r.applies(wall))
        found[rule.name] = found.get(rule.name, 0) + 1
    return found


@given(rates=specials, start=starts, minutes=st.integers(1, 1500))
def test_a_price_is_what_counting_each_minute_gives_also_when_the_clocks_change(rates, start, minutes):
    rates, asked = [rate(), *rates], span(start, minutes)

    found = price(rates, room_id=ROOM, span=asked, zone=PARIS)

    assert {line.name: line.minutes for line in found.lines} == minute_by_minute(rates, asked)


@given(rates=specials, start=starts, minutes=st.integers(1, 1500))
def test_a_price_is_the_sum_of_lines_each_within_half_a_minor_unit_of_exact(rates, start, minutes):
    found = price([rate(), *rates], room_id=ROOM, span=span(start, minutes), zone=PARIS)

    assert found.amount_minor == sum(line.amount_minor for line in found.lines)
    assert all(abs(line.amount_minor - Fraction(line.hourly_minor * line.minutes, 60)) <= Fraction(1, 2) for line in found.lines)


@given(rates=specials, start=starts, minutes=st.integers(1, 1400), more=st.integers(1, 100))
def test_a_longer_booking_never_costs_less(rates, start, minutes, more):
    shorter, longer = (price([rate(), *rates], room_id=ROOM, span=span(start, m), zone=PARIS) for m in (minutes, minutes + more))

    assert longer.amount_minor >= shorter.amount_minor


def test_an_hour_and_a_half_at_fifty_euros_is_seventy_five():
    found = price([rate()], room_id=ROOM, span=span(datetime(2026, 11, 24, 10, tzinfo=UTC), 90), zone=PARIS)

    assert (found.amount_minor, found.currency) == (7500, "EUR")


def test_a_rooms_own_rule_wins_over_one_for_every_room():
    found = price(
        [rate(), rate(2, room_id=ROOM, hourly_minor=8000)], room_id=ROOM, span=span(datetime(2026, 11, 24, 10, tzinfo=UTC), 60), zone=PARIS
    )

    assert found.amount_minor == 8000


def test_a_time_without_a_rule_has_no_price():
    with pytest.raises(NoRate):
        price([rate(to_minute=1200)], room_id=ROOM, span=span(datetime(2026, 11, 24, 18, tzinfo=UTC), 120), zone=PARIS)


def test_the_lowest_price_counts_only_rules_that_can_apply_to_the_room():
    assert lowest_hourly([rate(), rate(2, room_id=4, hourly_minor=1)], ROOM) == 5000
    assert lowest_hourly([], ROOM) is None
