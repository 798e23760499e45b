"""Rooms and bookings as the pages, the assistant and the use cases see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, joinedload

from studio.contexts.crm.queries import client_of
from studio.contexts.scheduling.models import Allocation, Booking, OpeningRule, RateRule, Room, room_key
from studio.contexts.scheduling.prices import PriceLine, Rate
from studio.contexts.scheduling.rules import SEARCH_DAYS, lengths, openings_of
from studio.contexts.scheduling.shapes import BookingView, Lane, Plan, RoomView, Today
from studio.contexts.scheduling.values import DAY_MINUTES, Opening, Source, Span, State, day_span
from studio.contexts.settings import queries as settings_queries
from studio.errors import NotFound

BOOKINGS_MAX = 500


def rooms(db: Session, *, is_public: bool | None = None) -> list[RoomView]:
    """Rooms in their order, without archived ones."""
    query = select(Room).where(Room.archived_at.is_(None)).order_by(Room.position, Room.id)
    if is_public is not None:
        query = query.where(Room.is_public == is_public)
    return [_room(row) for row in db.scalars(query)]


def room(db: Session, public_id: str) -> RoomView:
    """One room that is not archived.

    Raises:
        NotFound: there is none.
    """
    row = db.scalar(select(Room).where(Room.public_id == public_id, Room.archived_at.is_(None)))
    if row is None:
        raise NotFound("There is no such room.")
    return _room(row)


def openings(db: Session) -> tuple[Opening, ...]:
    """All opening rules, by weekday and hour."""
    rows = db.scalars(select(OpeningRule).order_by(OpeningRule.weekday, OpeningRule.opens_minute))
    return tuple(Opening(room_id=r.room_id, weekday=r.weekday, opens_minute=r.opens_minute, closes_minute=r.closes_minute) for r in rows)


def rates(db: Session) -> tuple[Rate, ...]:
    """All hourly rates of rooms."""
    rows = db.scalars(select(RateRule).where(RateRule.target_kind == "room", RateRule.unit == "hour").order_by(RateRule.id))
    return tuple(
        Rate(
            id=r.id,
            public_id=r.public_id,
            room_id=r.target_id,
            name=r.name,
            hourly_minor=r.price_minor,
            currency=r.currency,
            priority=r.priority,
            weekdays=frozenset(r.applies["weekdays"]) if "weekdays" in r.applies else None,
            from_minute=r.applies.get("from_minute", 0),
            to_minute=r.applies.get("to_minute", DAY_MINUTES),
        )
        for r in rows
    )


def plan(db: Session, room_public_id: str) -> Plan:
    """The plan of one room.

    Raises:
        NotFound: there is no such room.
    """
    found = room(db, room_public_id)
    return plans(db, [found])[0]


def plans(db: Session, chosen: Sequence[RoomView]) -> list[Plan]:
    """The plans of some rooms, in three queries."""
    zone, opening, rate = settings_queries.load(db).zone, openings(db), rates(db)
    return [Plan(room=r, zone=zone, openings=tuple(openings_of(opening, r.id)), rates=rate) for r in chosen]


def taken(db: Session, room_id: int, during: Span, *, moving: int | None = None) -> list[Span]:
    """When the room is taken in a while, in order; `moving` is a booking's id that does not count."""
    query = _claims(room_id, during, moving).order_by(Allocation.starts_at)
    return [Span(starts_at=a.starts_at, ends_at=a.ends_at) for a in db.scalars(query)]


def free_lengths(db: Session, plan: Plan, start: datetime) -> list[int]:
    """The lengths in minutes that the public may book from a start, shortest first; none when it is not free."""
    longest = plan.room.max_minutes
    until = Span(starts_at=start, ends_at=start + timedelta(minutes=longest))
    return lengths(
        plan.windows(start, days=2 + longest // DAY_MINUTES),
        taken(db, plan.room.id, until),
        start=start,
        shortest=plan.room.min_minutes,
        longest=longest,
        step=plan.room.slot_minutes,
    )


def conflict(db: Session, room_id: int, asked: Span, *, moving: int | None = None) -> BookingView | None:
    """The first booking that has the room during the asked time."""
    claim = db.scalar(_claims(room_id, asked, moving).order_by(Allocation.starts_at).limit(1))
    if claim is None:
        return None
    return _views(db, _bookings().where(Booking.id == claim.booking_id))[0]


def bookings(
    db: Session, during: Span, *, room_id: int | None = None, with_cancelled: bool = False, limit: int = BOOKINGS_MAX
) -> list[BookingView]:
    """Bookings that share a moment with `during`, by start, at most `limit`."""
    query = _bookings().where(Booking.starts_at < during.ends_at, Booking.ends_at > during.starts_at)
    if room_id is not None:
        query = query.where(Allocation.resource_id == room_id)
    if not with_cancelled:
        query = query.where(Booking.state != State.cancelled)
    return _views(db, query.order_by(Booking.starts_at, Booking.id).limit(limit))


def bookings_of(db: Session, client_id: int, *, limit: int = 50) -> list[BookingView]:
    """A client's bookings, latest first, cancelled ones too, at most `limit`."""
    return _views(db, _bookings().where(Booking.client_id == client_id).order_by(Booking.starts_at.desc()).limit(limit))


def booking(db: Session, public_id: str) -> BookingView:
    """One booking.

    Raises:
        NotFound: there is none.
    """
    found = _views(db, _bookings().where(Booking.public_id == public_id))
    if not found:
        raise NotFound("There is no such booking.")
    return found[0]


def booking_by_key(db: Session, key: str) -> BookingView | None:
    """The booking that a request with this idempotency key made."""
    found = _views(db, _bookings().where(Booking.idempotency_key == key))
    return found[0] if found else None


def today(db: Session, now: datetime) -> Today:
    """The Today board at an instant: the wall's day in the studio's zone; `next` looks a week ahead."""
    zone = settings_queries.load(db).zone
    day = day_span(now.astimezone(zone).date(), zone)
    listed = bookings(db, day)
    running = {b.room.id: b for b in listed if b.span.starts_at <= now < b.span.ends_at}
    coming = _next_by_room(db, now, until=day.ends_at + timedelta(days=7))
    lanes = (Lane(room=found, now=running.get(found.id), next=coming.get(found.id)) for found in rooms(db))
    return Today(lanes=tuple(lanes), bookings=tuple(listed))


def _next_by_room(db: Session, now: datetime, *, until: datetime) -> dict[int, BookingView]:
    """The first booking of each room that begins after now: one row a room, however busy the week is."""
    first = (
        select(Allocation.booking_id)
        .where(Allocation.resource_kind == "room", Allocation.blocking, Allocation.starts_at > now, Allocation.starts_at < until)
        .ext(distinct_on(Allocation.resource_id))
        .order_by(Allocation.resource_id, Allocation.starts_at)
    )
    return {b.room.id: b for b in _views(db, _bookings().where(Booking.id.in_(first)))}


def search_span(not_before: datetime) -> Span:
    """How far ahead a search for a free slot looks."""
    return Span(starts_at=not_before, ends_at=not_before + timedelta(days=SEARCH_DAYS + 1))


def _claims(room_id: int, during: Span, moving: int | None) -> Select[Allocation]:
    query = select(Allocation).where(
        Allocation.resource_key == room_key(room_id),
        Allocation.blocking,
        Allocation.starts_at < during.ends_at,
        Allocation.ends_at > during.starts_at,
    )
    return query if moving is None else query.where(Allocation.booking_id != moving)


def _bookings() -> Select[Booking, Room]:
    return (
        select(Booking, Room)
        .join(Booking.allocations)
        .join(Room, Room.id == Allocation.resource_id)
        .where(Allocation.resource_kind == "room")
        .options(joinedload(Booking.client))
    )


def _views(db: Session, query: Select[Booking, Room]) -> list[BookingView]:
    return [_booking(row, its_room) for row, its_room in db.execute(query).unique()]


def _booking(row: Booking, its_room: Room) -> BookingView:
    return BookingView(
        id=row.id,
        public_id=row.public_id,
        number=row.number,
        state=State(row.state),
        title=row.title,
        notes=row.notes,
        source=Source(row.source),
        span=Span(starts_at=row.starts_at, ends_at=row.ends_at),
        room=_room(its_room),
        client=client_of(row.client) if row.client else None,
        price_minor=row.price_minor,
        currency=row.currency,
        price_lines=tuple(PriceLine(**line) for line in row.price_breakdown),
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


def _room(row: Room) -> RoomView:
    return RoomView(**{name: getattr(row, name) for name in RoomView.__dataclass_fields__})
