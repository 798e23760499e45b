from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy.life.retention import Retention, kept

TIMES = st.sets(st.integers(0, 40 * 366 * 24).map(lambda hours: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hours)), max_size=60)
COUNTS = st.integers(0, 5)
RULES = st.builds(Retention, latest=st.integers(1, 3), daily=COUNTS, weekly=COUNTS, monthly=COUNTS, yearly=COUNTS)


@given(TIMES, RULES)
def test_the_newest_is_kept_and_no_more_than_one_for_each_period_that_counts(times, rule):
    found = kept(times, rule)

    assert found <= times
    assert not times or max(times) in found
    assert set(sorted(times)[-rule.latest :]) <= found
    assert len(found) <= rule.latest + rule.daily + rule.weekly + rule.monthly + rule.yearly
    assert len({at.year for at in found}) >= min(rule.yearly, len({at.year for at in times}))
    assert len({at.date() for at in found}) >= min(rule.daily, len({at.date() for at in times}))
    assert len({at.isocalendar()[:2] for at in found}) >= min(rule.weekly, len({at.isocalendar()[:2] for at in times}))
    assert len({(at.year, at.month) for at in found}) >= min(rule.monthly, len({(at.year, at.month) for at in times}))


@given(TIMES, RULES)
def test_pruning_twice_removes_nothing_more(times, rule):
    once = kept(times, rule)

    assert kept(once, rule) == once


@given(TIMES, RULES)
def test_a_backup_that_was_let_go_is_never_missed_later(times, rule):
    """Pruned after each backup or once at the end: the same ones stay."""
    ordered = sorted(times)
    left: set[datetime] = set()
    for at in ordered:
        left = set(kept(left | {at}, rule))

    assert left == kept(times, rule)


def test_a_year_of_daily_backups_leaves_seven_days_four_weeks_and_twelve_months():
    times = [datetime(2026, 1, 1, 3, tzinfo=UTC) + timedelta(days=day) for day in range(365)]

    found = kept(times, Retention(latest=1))

    assert 20 <= len(found) <= 23
    assert set(times[-7:]) <= found


def test_a_count_below_zero_is_refused():
    with pytest.raises(ValueError, match="periods"):
        Retention(daily=-1)
