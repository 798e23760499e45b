"""What the assistant may do with rooms and bookings: read, and propose. Writing waits for a person's confirmation.

Times without a zone are the studio's wall clock; answers give wall-clock times. Rooms go by name or public id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from studio.contexts.scheduling import obstacle, queries, service
from studio.contexts.scheduling.errors import span_text
from studio.contexts.scheduling.prices import NoRate
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.shapes import BookingView, Plan, RoomView
from studio.contexts.scheduling.values import Source, Span, is_bookable, to_utc
from studio.contexts.settings import queries as settings
from studio.db import new_public_id
from studio.errors import BadInput

SLOTS_MAX = 20
LISTED_MAX = 50
MINUTES_MAX = 7 * 24 * 60


@dataclass(frozen=True, kw_only=True)
class ListedBooking:
    """A booking in words; times are wall clock."""

    code: str
    public_id: str
    room: str
    starts_at: datetime
    ends_at: datetime
    title: str
    client: str | None
    state: str
    price_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class FreeSlot:
    """A free slot and its price; times are wall clock. `price_minor` is None when no rate covers it."""

    room: str
    starts_at: datetime
    ends_at: datetime
    price_minor: int | None
    currency: str


@dataclass(frozen=True, kw_only=True)
class BookingProposal:
    """A booking that was found possible and is not written yet.

    Attributes:
        key: makes confirming twice book once.
        room: public id.
        starts_at: UTC.
        ends_at: UTC.
        sentence: what will be booked, for the person who confirms.
    """

    key: str
    room: str
    room_name: str
    starts_at: datetime
    ends_at: datetime
    client_name: str | None
    title: str
    price_minor: int
    currency: str
    sentence: str


def list_rooms(db: Session) -> list[RoomView]:
    """The studio's rooms, in their order."""
    return queries.rooms(db)


def list_bookings(db: Session, *, starts_at: datetime, ends_at: datetime, room: str | None = None) -> list[ListedBooking]:
    """Bookings that share a moment with the time asked for, by start, at most `LISTED_MAX`, without cancelled ones.

    Raises:
        BadInput: no such room, or the times make no sense.
    """
    zone = settings.load(db).zone
    wanted = _room(db, room).id if room else None
    found = queries.bookings(db, _span(starts_at, ends_at, zone, longest=None), room_id=wanted, limit=LISTED_MAX)
    return [_listed(b, zone) for b in found]


def find_free_slots(
    db: Session, *, minutes: int, starts_at: datetime, ends_at: datetime, now: datetime, room: str | None = None, count: int = 3
) -> list[FreeSlot]:
    """Free slots of a length within a time, soonest first, over one room or all, at most `count` (up to `SLOTS_MAX`).

    Raises:
        BadInput: no such room, or the times or the length make no sense.
    """
    zone = settings.load(db).zone
    within = _span(starts_at, ends_at, zone, longest=None)
    if not 0 < minutes <= MINUTES_MAX:
        raise BadInput("minutes", _("A booking lasts between one minute and a week."))
    limit = max(1, min(count, SLOTS_MAX))
    found: list[tuple[Span, FreeSlot]] = []
    for plan in queries.plans(db, [_room(db, room)] if room else queries.rooms(db)):
        not_before = max(within.starts_at, now)
        days = max(0, (within.ends_at - not_before).days) + 2
        slots = obstacle.free(db, plan, minutes=minutes, not_before=not_before, days=days, limit=limit)
        found += [(slot, _priced(plan, slot, zone)) for slot in slots if slot.ends_at <= within.ends_at]
    return [free for _slot, free in sorted(found, key=lambda pair: (pair[0], pair[1].room))[:limit]]


def price_booking(db: Session, *, room: str, starts_at: datetime, ends_at: datetime) -> FreeSlot:
    """What a room costs for a time, whether or not it is free.

    Raises:
        BadInput: no such room, or the times make no sense.
    """
    plan = queries.plan(db, _room(db, room).public_id)
    return _priced(plan, _span(starts_at, ends_at, plan.zone), plan.zone)


def propose_booking(
    db: Session, *, room: str, starts_at: datetime, ends_at: datetime, now: datetime, client_name: str | None = None, title: str = ""
) -> BookingProposal:
    """Check a booking and say what it would be. Nothing is written.

    Raises:
        BadInput: no such room, or the times make no sense.
        BookingRefused: it is not possible, with the reason and the next free slot.
    """
    plan = queries.plan(db, _room(db, room).public_id)
    span = _span(starts_at, ends_at, plan.zone)
    if refused := obstacle.find(db, plan, span, source=Source.assistant, now=now):
        raise refused
    cost = service.quote(plan, span)
    client = " ".join((client_name or "").split()) or None
    when = span_text(span, plan.zone)
    if client:
        sentence = _("Book %(room)s, %(when)s, for %(client)s.", room=plan.room.name, when=when, client=client)
    else:
        sentence = _("Book %(room)s, %(when)s.", room=plan.room.name, when=when)
    return BookingProposal(
        key=f"proposal:{new_public_id()}",
        room=plan.room.public_id,
        room_name=plan.room.name,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        client_name=client,
        title=title,
        price_minor=cost.amount_minor,
        currency=cost.currency,
        sentence=sentence,
    )


def confirm_proposal(db: Session, proposal: BookingProposal, *, now: datetime, by: str) -> BookingView:
    """Write a proposed booking, checked again; confirming twice gives back the first booking.

    Args:
        by: public id of the user who confirms.

    Raises:
        NotFound: the room is gone.
        BookingRefused: it is no longer possible.
    """
    return service.create_booking(
        db,
        room=proposal.room,
        span=Span(starts_at=proposal.starts_at, ends_at=proposal.ends_at),
        source=Source.assistant,
        now=now,
        client=ClientInput(name=proposal.client_name) if proposal.client_name else None,
        title=proposal.title,
        key=proposal.key,
        by=by,
    )


def _room(db: Session, wanted: str) -> RoomView:
    """A room by public id, by name, or by the only name that contains the word."""
    found, word = queries.rooms(db), wanted.strip().casefold()
    exact = [r for r in found if word in {r.public_id, r.name.casefold()}]
    matching = exact or [r for r in found if word and word in r.name.casefold()]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(r.name for r in found)
    raise BadInput("room", _("There is no room called “%(room)s”. The rooms are: %(names)s.", room=wanted, names=names))


def _span(starts_at: datetime, ends_at: datetime, zone: ZoneInfo, *, longest: int | None = MINUTES_MAX) -> Span:
    try:
        span = Span(starts_at=_instant(starts_at, zone), ends_at=_instant(ends_at, zone))
    except (ValueError, OverflowError) as error:
        raise BadInput("starts_at", _("The clocks go forward over that time, so it does not exist.")) from error
    if not is_bookable(span.starts_at.date()) or not is_bookable(span.ends_at.date()):
        raise BadInput("starts_at", _("Choose a date."))
    if span.ends_at <= span.starts_at:
        raise BadInput("ends_at", _("The end must be after the start."))
    if longest is not None and span.minutes > longest:
        raise BadInput("ends_at", _("A booking lasts between one minute and a week."))
    return span


def _instant(given: datetime, zone: ZoneInfo) -> datetime:
    given = given.replace(second=0, microsecond=0)
    return to_utc(given, zone) if given.tzinfo is None else given.astimezone(ZoneInfo("UTC"))


def _priced(plan: Plan, slot: Span, zone: ZoneInfo) -> FreeSlot:
    try:
        cost = service.quote(plan, slot)
    except NoRate:
        cost = None
    return FreeSlot(
        room=plan.room.name,
        starts_at=slot.starts_at.astimezone(zone),
        ends_at=slot.ends_at.astimezone(zone),
        price_minor=cost.amount_minor if cost else None,
        currency=cost.currency if cost else "",
    )


def _listed(found: BookingView, zone: ZoneInfo) -> ListedBooking:
    return ListedBooking(
        code=found.code,
        public_id=found.public_id,
        room=found.room.name,
        starts_at=found.span.starts_at.astimezone(zone),
        ends_at=found.span.ends_at.astimezone(zone),
        title=found.title,
        client=found.client.name if found.client else None,
        state=found.state.value,
        price_minor=found.price_minor,
        currency=found.currency,
    )
