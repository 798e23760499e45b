from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_ai_credits.periods import Allowance

zones = st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"])
instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds the zone


def allowance(anchor_at, timezone="UTC"):
    return Allowance(rule="plan", amount=1, anchor_at=anchor_at, timezone=timezone)


@pytest.mark.parametrize("day", [28, 29, 30, 31])
def test_ten_years_of_months_keep_their_day_where_the_month_has_it(day):
    months = allowance(datetime(2024, 1, day, 12, tzinfo=UTC))

    starts = [months.starts_at(period) for period in range(120)]

    assert [(start.year, start.month) for start in starts] == [(2024 + n // 12, n % 12 + 1) for n in range(120)]
    assert all(
        start.day == min(day, ((start.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)).day) for start in starts
    )


def test_months_keep_their_hour_on_the_wall_clock_across_daylight_saving():
    months = allowance(datetime(2026, 1, 15, 9, tzinfo=ZoneInfo("Europe/Paris")), "Europe/Paris")

    hours = {months.starts_at(period).astimezone(ZoneInfo("Europe/Paris")).hour for period in range(24)}

    assert hours == {9}


@given(instants, zones, st.integers(0, 300))
def test_periods_follow_each_other_without_gap_or_overlap(anchor_at, zone, period):
    months = allowance(anchor_at, zone)
    start, end = months.starts_at(period), months.starts_at(period + 1)

    assert timedelta(days=26) < end - start < timedelta(days=33)
    assert [months.period_at(at) for at in (start, end - timedelta(microseconds=1), end)] == [period, period, period + 1]


@given(instants, zones)
def test_no_period_runs_before_the_anchor(anchor_at, zone):
    months = allowance(anchor_at, zone)

    assert [months.period_at(anchor_at - timedelta(microseconds=1)), months.period_at(anchor_at)] == [-1, 0]
