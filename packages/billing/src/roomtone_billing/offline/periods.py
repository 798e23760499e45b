"""Billing periods: every end is counted from the anchor, so a month that is too short does not shift the ones after it."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from .objects import Object


def period_end(anchor: int, recurring: Object, *, after: int) -> int:
    """Return the first moment later than `after` that is a whole number of intervals from the anchor (unix seconds).

    Args:
        recurring: a price's `interval` and `interval_count`.

    >>> from datetime import datetime, UTC
    >>> january_31 = int(datetime(2026, 1, 31, tzinfo=UTC).timestamp())
    >>> ends = [period_end(january_31, {"interval": "month", "interval_count": 1}, after=january_31)]
    >>> ends.append(period_end(january_31, {"interval": "month", "interval_count": 1}, after=ends[0]))
    >>> [datetime.fromtimestamp(end, UTC).strftime("%d %b") for end in ends]
    ['28 Feb', '31 Mar']
    """
    start = datetime.fromtimestamp(anchor, UTC)
    number = max(1, _elapsed(start, datetime.fromtimestamp(after, UTC), recurring) - 1)
    while (end := int(_step(start, recurring, number).timestamp())) <= after:
        number += 1
    return end


def _step(start: datetime, recurring: Object, number: int) -> datetime:
    count = recurring["interval_count"] * number
    match recurring["interval"]:
        case "day":
            return start + timedelta(days=count)
        case "week":
            return start + timedelta(weeks=count)
        case "month":
            return months_later(start, count)
        case _:
            return months_later(start, 12 * count)


def months_later(start: datetime, months: int) -> datetime:
    """Return the same day some months on, or the month's last day where that is earlier."""
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return start.replace(year=year, month=month + 1, day=min(start.day, calendar.monthrange(year, month + 1)[1]))


def _elapsed(start: datetime, now: datetime, recurring: Object) -> int:
    """Whole intervals since the anchor, or a little less: a first guess that keeps the search short."""
    longest_days: int = {"day": 1, "week": 7, "month": 31, "year": 366}[recurring["interval"]] * recurring["interval_count"]
    return max(0, (now - start).days // longest_days)
