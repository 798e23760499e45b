"""What a room costs for a while, as a pure rule: each minute at the highest rate rule that applies to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from studio.contexts.scheduling.values import DAY_MINUTES, Span
from studio.errors import StudioError


class NoRate(StudioError):
    """No rate rule covers a moment of the asked time, so it has no price."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """An hourly price, and when it applies.

    Attributes:
        room_id: None for every room.
        name: what staff called it; empty for a room's plain rate.
        hourly_minor: minor units per hour, >= 0.
        priority: the highest that applies wins; a room's own rule wins over one for every room.
        weekdays: 0 is Monday; None for every day.
        from_minute: first wall-clock minute of the day.
        to_minute: minute after the last, up to 1440.
    """

    id: int
    public_id: str
    room_id: int | None
    name: str
    hourly_minor: int
    currency: str
    priority: int = 0
    weekdays: frozenset[int] | None = None
    from_minute: int = 0
    to_minute: int = DAY_MINUTES

    def applies(self, wall: datetime) -> bool:
        """Whether it covers this wall-clock moment."""
        minute = wall.hour * 60 + wall.minute
        return (self.weekdays is None or wall.weekday() in self.weekdays) and self.from_minute <= minute < self.to_minute


@dataclass(frozen=True, kw_only=True)
class PriceLine:
    """Minutes at one rate."""

    name: str
    minutes: int
    hourly_minor: int
    amount_minor: int


@dataclass(frozen=True, kw_only=True)
class Price:
    """An amount and how it came about; the amount is the sum of the lines."""

    amount_minor: int
    currency: str
    lines: tuple[PriceLine, ...]


def price(rates: Sequence[Rate], *, room_id: int, span: Span, zone: ZoneInfo) -> Price:
    """What the room costs for the span. Each line is rounded once, halves up.

    Raises:
        NoRate: no rule covers some moment of it.
    """
    mine = sorted((r for r in rates if r.room_id in (None, room_id)), key=lambda r: (-r.priority, r.room_id is None, r.id))
    minutes: dict[Rate, int] = {}
    for piece in _pieces(mine, span, zone):
        wall = piece.starts_at.astimezone(zone)
        rate = next((r for r in mine if r.applies(wall)), None)
        if rate is None:
            raise NoRate(f"room {room_id} has no rate at {wall:%Y-%m-%d %H:%M}")
        minutes[rate] = minutes.get(rate, 0) + piece.minutes
    lines = tuple(
        PriceLine(name=rate.name, minutes=m, hourly_minor=rate.hourly_minor, amount_minor=(rate.hourly_minor * m * 2 + 60) // 120)
        for rate, m in minutes.items()
    )
    currency = next(iter(minutes)).currency if minutes else ""
    return Price(amount_minor=sum(line.amount_minor for line in lines), currency=currency, lines=lines)


def lowest_hourly(rates: Sequence[Rate], room_id: int) -> int | None:
    """The lowest hourly price that the room can have; None when it has none."""
    return min((r.hourly_minor for r in rates if r.room_id in (None, room_id)), default=None)


def _pieces(rates: Sequence[Rate], span: Span, zone: ZoneInfo) -> list[Span]:
    """The span cut wherever another rule could begin to apply.

    Also at each half hour of UTC, because a change of the clocks (always on one) can begin or end a rule.
    """
    edges = {0} | {r.from_minute for r in rates} | {r.to_minute % DAY_MINUTES for r in rates}
    cuts = {span.starts_at, span.ends_at}
    day, last = span.starts_at.astimezone(zone).date() - timedelta(days=1), span.ends_at.astimezone(zone).date()
    while day <= last:
        for minute in edges:
            wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
            cuts |= {wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
        day += timedelta(days=1)
    half_hour = span.starts_at.replace(minute=0)
    while half_hour < span.ends_at:
        half_hour += timedelta(minutes=30)
        cuts.add(half_hour)
    inside = sorted(cut for cut in cuts if span.starts_at <= cut <= span.ends_at)
    return [Span(starts_at=a, ends_at=b) for a, b in pairwise(inside)]
