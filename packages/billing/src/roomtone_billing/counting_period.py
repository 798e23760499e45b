"""The period in which use is counted: a month of the subscription, of the trial, or of the calendar."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime

from .access import Trial
from .plans import Interval
from .snapshot import Snapshot, Status, Subscription

# No period is longer; counters of older ones are over.
PERIOD_DAYS_MAX = 31


@dataclass(frozen=True, kw_only=True)
class Period:
    """From `start` to before `end`; use is counted under its start."""

    start: datetime
    end: datetime


def period_at(trial: Trial | None, snapshot: Snapshot | None, now: datetime) -> Period:
    """The period `now` is in.

    A monthly subscription counts by its own periods, as Stripe gives them. A yearly one counts by months from the start of its period,
    since limits are by the month. A trial counts by months from its start, so that the end of a calendar month gives nothing anew.
    Without either it is the calendar month in UTC.
    """
    main = snapshot.main() if snapshot else None
    if main is not None and main.status is not Status.canceled:
        return _of_subscription(main, now)
    if main is None and trial is not None and trial.started_at <= now < trial.until:
        return _month(trial.started_at, now)
    return _month(now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0), now)


def _of_subscription(main: Subscription, now: datetime) -> Period:
    if now >= main.period_end:
        # News of the next period is late. It begins where this one ends, so what is counted until then is counted under its start.
        return _month(main.period_end, now)
    if main.price.interval is Interval.month:
        return Period(start=main.period_start, end=main.period_end)
    month = _month(main.period_start, now)
    return Period(start=month.start, end=min(month.end, main.period_end))


def _month(anchor: datetime, now: datetime) -> Period:
    """The month counted from the anchor that `now` is in; the first one while the anchor is ahead."""
    passed = max(0, (now.year - anchor.year) * 12 + now.month - anchor.month)
    if passed and _later(anchor, passed) > now:
        passed -= 1
    return Period(start=_later(anchor, passed), end=_later(anchor, passed + 1))


def _later(anchor: datetime, months: int) -> datetime:
    """So many months later, on the anchor's day or the month's last: always from the anchor, else a 31st would become a 28th for good."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, calendar.monthrange(year, month + 1)[1]))
