"""Use is counted by months of what was bought; nothing is counted anew before its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing import Interval
from roomtone_billing.access import Trial
from roomtone_billing.counting_period import PERIOD_DAYS_MAX, Period, period_at
from roomtone_billing.snapshot import PriceRef, Snapshot, Status, Subscription


def day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def bought(start: datetime, end: datetime, interval: Interval = Interval.month, status: Status = Status.active) -> Snapshot:
    price = PriceRef(id="p", plan="pro", interval=interval)
    ended_at = end if status is Status.canceled else None
    one = Subscription(id="s", status=status, created_at=start, price=price, period_start=start, period_end=end, ended_at=ended_at)
    return Snapshot(customer="c", subscriptions=(one,))


def test_pitfall_62_a_month_that_began_on_a_31st_lasts_as_long_as_stripe_says():
    february = bought(day(2026, 2, 28), day(2026, 3, 31))

    assert period_at(None, february, day(2026, 3, 29)) == Period(start=day(2026, 2, 28), end=day(2026, 3, 31))


def test_pitfall_62_a_year_from_a_31st_has_months_that_end_on_the_31st_again():
    year = bought(day(2026, 1, 31), day(2027, 1, 31), Interval.year)

    starts = [period_at(None, year, now).start for now in (day(2026, 2, 27), day(2026, 2, 28), day(2026, 3, 30), day(2026, 3, 31))]

    assert starts == [day(2026, 1, 31), day(2026, 2, 28), day(2026, 2, 28), day(2026, 3, 31)]


def test_news_of_a_renewal_changes_nothing_about_the_period_it_is_late_for():
    before, after = bought(day(2026, 1, 10), day(2026, 2, 10)), bought(day(2026, 2, 10), day(2026, 3, 10))

    assert period_at(None, before, day(2026, 2, 11)) == period_at(None, after, day(2026, 2, 11))


def test_the_end_of_a_calendar_month_gives_a_trial_nothing_anew():
    trial = Trial(plan_key="pro", interval=Interval.month, started_at=day(2026, 1, 25), until=day(2026, 2, 8))

    assert period_at(trial, None, day(2026, 1, 26)) == period_at(trial, None, day(2026, 2, 7))


def test_without_a_plan_it_is_the_calendar_month():
    over = Trial(plan_key="pro", interval=Interval.month, started_at=day(2026, 1, 25), until=day(2026, 2, 8))
    ended = bought(day(2026, 1, 10), day(2026, 2, 10), status=Status.canceled)
    march = Period(start=datetime(2026, 3, 1, tzinfo=UTC), end=datetime(2026, 4, 1, tzinfo=UTC))

    assert {period_at(trial, truth, day(2026, 3, 5)) for trial, truth in ((None, None), (over, None), (None, ended))} == {march}


@given(
    start=st.integers(0, 4 * 366 * 86400).map(lambda seconds: day(2024, 1, 1) + timedelta(seconds=seconds)),
    length=st.integers(1, 366),
    interval=st.sampled_from(Interval),
    later_s=st.integers(0, 800 * 86400),
)
def test_periods_follow_each_other_without_gap_and_hold_every_moment(start, length, interval, later_s):
    length = min(length, PERIOD_DAYS_MAX) if interval is Interval.month else length
    truth, now = bought(start, start + timedelta(days=length), interval), start + timedelta(seconds=later_s)

    period = period_at(None, truth, now)
    following = period_at(None, truth, period.end)

    assert period.start <= now < period.end
    assert period.end - period.start <= timedelta(days=PERIOD_DAYS_MAX)
    assert following.start == period.end
