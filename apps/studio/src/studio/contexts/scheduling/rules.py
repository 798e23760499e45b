"""Opening hours and free slots, as pure rules. Instants are aware UTC; ranges are half-open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from studio.contexts.scheduling.values import Opening, Span, minute_of

SEARCH_DAYS = 31  # how far a search for a free slot looks ahead, at the most


def openings_of(openings: Sequence[Opening], room_id: int) -> list[Opening]:
    """The openings that count for a room: its own if it has any, else the studio's."""
    return [o for o in openings if o.room_id == room_id] or [o for o in openings if o.room_id is None]


def windows(openings: Sequence[Opening], *, zone: ZoneInfo, first: date, days: int) -> list[Span]:
    """When it is open during some days, in order, merged where they touch. Openings of the evening before are included."""
    found = []
    for day in (first + timedelta(days=n) for n in range(-1, days)):
        for opening in openings:
            if opening.weekday == day.weekday():
                starts_at = minute_of(day, opening.opens_minute, zone)
                ends_at = minute_of(day, opening.closes_minute, zone)
                if starts_at < ends_at:  # a change of the clocks can swallow a short opening
                    found.append(Span(starts_at=starts_at, ends_at=ends_at))
    return merge(found)


def merge(spans: Iterable[Span]) -> list[Span]:
    """The same moments, in order, as the fewest spans."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.starts_at <= merged[-1].ends_at:
            merged[-1] = Span(starts_at=merged[-1].starts_at, ends_at=max(merged[-1].ends_at, span.ends_at))
        else:
            merged.append(span)
    return merged


def gaps(within: Span, taken: Iterable[Span]) -> list[Span]:
    """What the taken spans leave of `within`, in order."""
    found, cursor = [], within.starts_at
    for span in merge(taken):
        if span.ends_at <= cursor:
            continue
        if span.starts_at >= within.ends_at:
            break
        if span.starts_at > cursor:
            found.append(Span(starts_at=cursor, ends_at=span.starts_at))
        cursor = span.ends_at
    if cursor < within.ends_at:
        found.append(Span(starts_at=cursor, ends_at=within.ends_at))
    return found


def free_slots(
    open_windows: Sequence[Span], taken: Sequence[Span], *, minutes: int, step_minutes: int, not_before: datetime, limit: int
) -> list[Span]:
    """The first `limit` free slots of a length, on the grid that starts when the room opens.

    Args:
        minutes: length of the slot, > 0.
        step_minutes: distance between two starts on the grid, > 0.
        not_before: no slot starts earlier.
    """
    found: list[Span] = []
    step, length = timedelta(minutes=step_minutes), timedelta(minutes=minutes)
    for window in open_windows:
        for gap in gaps(window, taken):
            earliest = max(gap.starts_at, not_before)
            steps = -((window.starts_at - earliest) // step)  # ceiling: the first grid line not before `earliest`
            start = window.starts_at + max(steps, 0) * step
            while start + length <= gap.ends_at and len(found) < limit:
                found.append(Span(starts_at=start, ends_at=start + length))
                start += step
    return found


def is_open(open_windows: Sequence[Span], asked: Span) -> bool:
    """Whether the whole of the asked span lies in one window."""
    return any(window.contains(asked) for window in open_windows)


def lengths(open_windows: Sequence[Span], taken: Sequence[Span], *, start: datetime, shortest: int, longest: int, step: int) -> list[int]:
    """The lengths in minutes that are free from `start` on, shortest first."""
    room_for = next(
        (gap.ends_at for window in open_windows for gap in gaps(window, taken) if gap.starts_at <= start < gap.ends_at),
        start,
    )
    most = int((room_for - start).total_seconds() // 60)
    return list(range(shortest, min(longest, most) + 1, step))
