"""The words of scheduling: spans of time, states, sources, and the wall clock. Instants are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)  # days beyond are typing errors, and arithmetic on them can overflow


class State(StrEnum):
    """Where a booking stands. Held and confirmed bookings keep others out."""

    held = "held"
    confirmed = "confirmed"
    cancelled = "cancelled"

    @property
    def is_blocking(self) -> bool:
        """Whether the room is taken by a booking in this state."""
        return self is not State.cancelled


class Source(StrEnum):
    """Who made a booking. The public is never told another client's name, and must respect notice and length."""

    staff = "staff"
    public = "public"
    assistant = "assistant"


@dataclass(frozen=True, kw_only=True, order=True)
class Span:
    """From an instant up to, and without, a later one."""

    starts_at: datetime
    ends_at: datetime

    @property
    def minutes(self) -> int:
        """Whole minutes."""
        return int((self.ends_at - self.starts_at).total_seconds() // 60)

    def overlaps(self, other: Span) -> bool:
        """Whether they share a moment; touching is not sharing."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def contains(self, other: Span) -> bool:
        """Whether the other lies within this one."""
        return self.starts_at <= other.starts_at and other.ends_at <= self.ends_at


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Open on a weekday (0 is Monday) between two wall-clock times, in minutes after midnight.

    Attributes:
        room_id: None for the whole studio; a room with openings of its own ignores the studio's.
        closes_minute: up to 2880: 1560 is two in the morning of the next day.
    """

    room_id: int | None
    weekday: int
    opens_minute: int
    closes_minute: int


def is_bookable(day: date) -> bool:
    """Whether a day is one that a booking could be on at all."""
    return FIRST_DAY <= day <= LAST_DAY


def to_utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a naive wall-clock time: the first one in the hour that is repeated in autumn.

    Raises:
        ValueError: the clocks skip that time in spring, so it does not exist.
    """
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != wall:
        raise ValueError(f"{wall:%Y-%m-%d %H:%M} does not exist in {zone.key}: the clocks go forward over it.")
    return instant


def minute_of(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The instant of a wall-clock minute after a day's midnight (it may pass the next); a skipped one is moved forward."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def day_span(day: date, zone: ZoneInfo, days: int = 1) -> Span:
    """Whole days on the wall, from midnight to midnight: 23, 24 or 25 hours each."""
    return Span(starts_at=minute_of(day, 0, zone), ends_at=minute_of(day + timedelta(days=days), 0, zone))
