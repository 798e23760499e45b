"""Opening hours, free slots and wall clocks."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.contexts.scheduling.rules import free_slots, gaps, is_open, lengths, merge, openings_of, windows
from studio.contexts.scheduling.values import Opening, Span, day_span, minute_of, to_utc

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 11, 23, tzinfo=UTC)

minutes = st.integers(0, 3 * 1440)
spans = st.lists(
    st.tuples(minutes, st.integers(1, 600)).map(
        lambda t: Span(starts_at=START + timedelta(minutes=t[0]), ends_at=START + timedelta(minutes=t[0] + t[1]))
    ),
    max_size=8,
)


def opening(weekday, opens, closes, room_id=None):
    return Opening(room_id=room_id, weekday=weekday, opens_minute=opens, closes_minute=closes)


def span(start, end):
    return Span(starts_at=START + timedelta(minutes=start), ends_at=START + timedelta(minutes=end))


def brute_force(open_windows, taken, *, minutes, step_minutes, not_before, limit):
    """Try each grid start of each window, in order."""
    found = []
    for window in open_windows:
        start = window.starts_at
        while start < window.ends_at:
            slot = Span(starts_at=start, ends_at=start + timedelta(minutes=minutes))
            if window.contains(slot) and start >= not_before and not any(slot.overlaps(t) for t in taken):
                found.append(slot)
            start += timedelta(minutes=step_minutes)
    return found[:limit]


@given(
    opens=spans,
    taken=spans,
    minutes=st.integers(1, 300),
    step=st.sampled_from([15, 30, 45, 60]),
    not_before=minutes,
    limit=st.integers(1, 9),
)
def test_free_slots_are_those_that_trying_every_start_finds(opens, taken, minutes, step, not_before, limit):
    asked = {"minutes": minutes, "step_minutes": step, "not_before": START + timedelta(minutes=not_before), "limit": limit}

    found = free_slots(merge(opens), taken, **asked)

    assert found == brute_force(merge(opens), taken, **asked)


@given(within=spans.filter(len), taken=spans)
def test_gaps_and_what_is_taken_fill_the_span_and_never_overlap(within, taken):
    whole = within[0]

    found = gaps(whole, taken)

    clipped = [Span(starts_at=max(t.starts_at, whole.starts_at), ends_at=min(t.ends_at, whole.ends_at)) for t in taken if t.overlaps(whole)]
    assert not any(gap.overlaps(t) for gap in found for t in taken)
    assert merge([*found, *clipped]) == [whole]


@given(spans)
def test_merged_spans_are_apart_and_in_order(given_spans):
    merged = merge(given_spans)

    assert all(a.ends_at < b.starts_at for a, b in pairwise(merged))
    assert all(any(m.contains(s) for m in merged) for s in given_spans)


@given(opens=spans.filter(len), taken=spans, step=st.sampled_from([15, 30]))
def test_each_offered_length_is_free_and_the_next_one_is_not(opens, taken, step):
    open_windows = merge(opens)
    start = open_windows[0].starts_at

    found = lengths(open_windows, taken, start=start, shortest=step, longest=480, step=step)

    def is_free(m):
        slot = Span(starts_at=start, ends_at=start + timedelta(minutes=m))
        return is_open(open_windows, slot) and not any(slot.overlaps(t) for t in taken)

    assert found == [m for m in range(step, 481, step) if is_free(m)]


def test_a_room_with_hours_of_its_own_ignores_the_studios():
    rules = [opening(0, 600, 1200), opening(1, 0, 1440, room_id=7)]

    assert openings_of(rules, 7) == [rules[1]]
    assert openings_of(rules, 8) == [rules[0]]


def test_an_opening_past_midnight_reaches_into_the_next_day():
    found = windows([opening(6, 1200, 1560)], zone=PARIS, first=date(2026, 11, 23), days=1)

    assert found == [Span(starts_at=datetime(2026, 11, 22, 19, tzinfo=UTC), ends_at=datetime(2026, 11, 23, 1, tzinfo=UTC))]


def test_days_that_are_open_around_the_clock_are_one_window():
    found = windows([opening(d, 0, 1440) for d in range(7)], zone=PARIS, first=date(2026, 11, 23), days=3)

    assert [w.minutes for w in found] == [4 * 1440]


def test_a_day_has_23_hours_in_spring_and_25_in_autumn():
    assert day_span(date(2026, 3, 29), PARIS).minutes == 23 * 60
    assert day_span(date(2026, 10, 25), PARIS).minutes == 25 * 60


def test_a_wall_time_that_the_clocks_skip_is_refused():
    with pytest.raises(ValueError, match="clocks go forward"):
        to_utc(datetime.fromisoformat("2026-03-29T02:30"), PARIS)


def test_in_the_repeated_hour_the_first_is_meant():
    assert to_utc(datetime.fromisoformat("2026-10-25T02:30"), PARIS) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-01-01")))
def test_a_wall_time_that_exists_comes_back_from_its_instant(wall):
    wall = wall.replace(second=0, microsecond=0, fold=0)
    try:
        instant = to_utc(wall, PARIS)
    except ValueError:
        assert wall.date() == date(2026, 3, 29)
        assert wall.hour == 2
    else:
        assert instant.astimezone(PARIS).replace(tzinfo=None) == wall
        assert minute_of(wall.date(), wall.hour * 60 + wall.minute, PARIS) == instant
