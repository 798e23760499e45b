"""What a visitor sees: rooms with their lowest price and hours, and the choices of a booking, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from studio.contexts.scheduling import obstacle, queries, service
from studio.contexts.scheduling.prices import NoRate, Price, lowest_hourly
from studio.contexts.scheduling.shapes import Plan, RoomView
from studio.contexts.scheduling.values import Opening, Source, Span, day_span, is_bookable

STRIP_DAYS = 14
PREFERRED_MINUTES = 120


@dataclass(frozen=True, kw_only=True)
class RoomCard:
    """A room on the studio's page. `from_minor` is the lowest hourly price; None when it has no price yet."""

    room: RoomView
    from_minor: int | None
    currency: str


class DayHours(NamedTuple):
    """A weekday (0 is Monday) and its openings as minutes after midnight."""

    weekday: int
    hours: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of the strip to choose from; `free` counts the possible starts."""

    date: date
    free: int


@dataclass(frozen=True, kw_only=True)
class Length:
    """A length that is free from the chosen start, and its price."""

    minutes: int
    price: Price


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What can be chosen next, given what was chosen so far.

    Attributes:
        first: first day of the strip.
        last: last day that the public may book.
        starts: free starts of the chosen day.
        start: the chosen start, when it is free.
        lengths: what fits from the chosen start.
        chosen: the chosen length, else a usual one.
    """

    plan: Plan
    today: date
    first: date
    last: date
    days: tuple[Day, ...]
    day: date
    starts: tuple[datetime, ...]
    start: datetime | None
    lengths: tuple[Length, ...]
    chosen: Length | None

    @property
    def earlier(self) -> date | None:
        """First day of the strip before; None at the beginning."""
        return self.first - timedelta(days=STRIP_DAYS) if self.first > self.today else None

    @property
    def later(self) -> date | None:
        """First day of the strip after; None at the end."""
        following = self.first + timedelta(days=STRIP_DAYS)
        return following if following <= self.last else None

    @property
    def span(self) -> Span | None:
        """The chosen time, when start and length are chosen."""
        if self.start is None or self.chosen is None:
            return None
        return Span(starts_at=self.start, ends_at=self.start + timedelta(minutes=self.chosen.minutes))


def room_cards(db: Session, currency: str) -> list[RoomCard]:
    """The rooms that the public may book, with their lowest price."""
    rates = queries.rates(db)
    return [RoomCard(room=r, from_minor=lowest_hourly(rates, r.id), currency=currency) for r in queries.rooms(db, is_public=True)]


def week(openings: Sequence[Opening]) -> list[DayHours]:
    """The studio's own hours, Monday to Sunday."""
    return [
        DayHours(day, tuple((o.opens_minute, o.closes_minute) for o in openings if o.weekday == day and o.room_id is None))
        for day in range(7)
    ]


def choices(
    db: Session, room: str, *, now: datetime, first: date | None, day: date | None, start: datetime | None, minutes: int | None
) -> Choices:
    """The choices for a room, with sensible ones made where the visitor made none.

    Raises:
        NotFound: no such room.
    """
    plan = queries.plan(db, room)
    today = now.astimezone(plan.zone).date()
    last = today + timedelta(days=plan.room.horizon_days)
    if start is not None:
        day = start.astimezone(plan.zone).date()
    first = _within(first or _strip_of(day, today), today, last)
    strip = day_span(first, plan.zone, STRIP_DAYS)
    not_before = max(strip.starts_at, obstacle.earliest(plan, source=Source.public, now=now))
    slots = obstacle.free(db, plan, minutes=plan.room.min_minutes, not_before=not_before, days=STRIP_DAYS + 1, limit=2000)
    starts: dict[date, list[datetime]] = {}
    for slot in slots:
        starts.setdefault(slot.starts_at.astimezone(plan.zone).date(), []).append(slot.starts_at)
    shown = [first + timedelta(days=n) for n in range(STRIP_DAYS) if first + timedelta(days=n) <= last]
    chosen_day = day if day in shown else next((d for d in shown if d in starts), first)
    free_starts = tuple(starts.get(chosen_day, ()))
    chosen_start = start if start in free_starts else None
    lengths = _lengths(db, plan, chosen_start) if chosen_start else ()
    return Choices(
        plan=plan,
        today=today,
        first=first,
        last=last,
        days=tuple(Day(date=d, free=len(starts.get(d, ()))) for d in shown),
        day=chosen_day,
        starts=free_starts,
        start=chosen_start,
        lengths=lengths,
        chosen=_choose(lengths, minutes),
    )


def parse_start(text: str) -> datetime | None:
    """An instant from an address; None for anything that is not a time with a zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None and is_bookable(found.date()) else None


def _lengths(db: Session, plan: Plan, start: datetime) -> tuple[Length, ...]:
    found = []
    for minutes in queries.free_lengths(db, plan, start):
        try:
            cost = service.quote(plan, Span(starts_at=start, ends_at=start + timedelta(minutes=minutes)))
        except NoRate:
            break
        found.append(Length(minutes=minutes, price=cost))
    return tuple(found)


def _choose(lengths: Sequence[Length], minutes: int | None) -> Length | None:
    """The asked length, else the longest that is not longer than usual, else the shortest."""
    asked = next((one for one in lengths if one.minutes == minutes), None)
    usual = [one for one in lengths if one.minutes <= PREFERRED_MINUTES]
    return asked or next(iter(usual[-1:] or lengths[:1]), None)


def _strip_of(day: date | None, today: date) -> date:
    """The first day of the strip that shows a day; strips follow each other from today."""
    if day is None or day < today:
        return today
    return today + timedelta(days=(day - today).days // STRIP_DAYS * STRIP_DAYS)


def _within(day: date, first: date, last: date) -> date:
    return min(max(day, first), last)
