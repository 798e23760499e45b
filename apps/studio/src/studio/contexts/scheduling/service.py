"""Making, moving and cancelling bookings. The database's exclusion constraint decides who has a room; this turns its no into a sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from psycopg.errors import ExclusionViolation, UniqueViolation
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from studio.contexts.crm import service as crm
from studio.contexts.scheduling import obstacle, queries
from studio.contexts.scheduling.errors import StaleBooking
from studio.contexts.scheduling.models import Allocation, Booking, Room, room_key
from studio.contexts.scheduling.prices import Price, price
from studio.contexts.scheduling.shapes import BookingView, Plan
from studio.contexts.scheduling.values import Source, Span, State
from studio.errors import NotFound, Refused


@dataclass(frozen=True, kw_only=True)
class ClientInput:
    """Who a booking is for, as a person typed it."""

    name: str
    email: str | None = None
    phone: str | None = None


def create_booking(
    db: Session,
    *,
    room: str,
    span: Span,
    source: Source,
    now: datetime,
    client: ClientInput | None = None,
    title: str = "",
    notes: str = "",
    state: State = State.confirmed,
    key: str | None = None,
    by: str | None = None,
) -> BookingView:
    """Book a room, for staff, the public and the assistant alike.

    Args:
        room: its public id.
        client: found by e-mail or made; None for the studio's own use.
        title: the client's name when empty.
        key: idempotency key; the same one again gives back the first booking and writes nothing.
        by: public id of the user who books; None for the public.

    Raises:
        NotFound: no such room.
        BookingRefused: taken, closed, unpriced or against the public's policy; what `obstacle.find` says.
        BadInput: the client has no name.

    Effects:
        Locks the room's row until the transaction ends, so that two writers queue instead of deadlocking in the constraint.
    """
    plan = queries.plan(db, room)
    _lock_room(db, plan.room.id)
    if key is not None and (made := queries.booking_by_key(db, key)):
        return made
    _refuse(db, plan, span, source=source, now=now)
    party = crm.find_or_create(db, name=client.name, email=client.email, phone=client.phone) if client else None
    row = Booking(
        state=state,
        client_id=party.id if party else None,
        title=title.strip() or (client.name.strip() if client else _("Studio use")),
        notes=notes,
        source=source,
        idempotency_key=key,
        created_by=by,
        allocations=[Allocation(resource_kind="room", blocking=state.is_blocking)],
    )
    _place(row, plan, span)
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation) and key is not None and (made := queries.booking_by_key(db, key)):
            return made
        _explain(db, error, plan, span, source=source, now=now)
    return queries.booking(db, row.public_id)


def move_booking(
    db: Session, public_id: str, *, room: str, span: Span, now: datetime, source: Source = Source.staff, version: int | None = None
) -> BookingView:
    """Give a booking another room or time, at today's rates. Moving it where it is changes nothing.

    Args:
        version: the version the person saw; None when only the latest place matters, as in dragging.

    Raises:
        NotFound: no such booking or room.
        StaleBooking: it changed since `version`.
        Refused: it was cancelled.
        BookingRefused: as for `create_booking`.
    """
    plan = queries.plan(db, room)
    _lock_room(db, plan.room.id)
    row = _locked(db, public_id)
    claim = row.allocations[0]
    if claim.resource_id == plan.room.id and Span(starts_at=row.starts_at, ends_at=row.ends_at) == span:
        return queries.booking(db, public_id)
    if version is not None and row.version != version:
        raise StaleBooking
    if State(row.state) is State.cancelled:
        raise Refused(_("This booking was cancelled. Make a new one instead."))
    _refuse(db, plan, span, source=source, now=now, moving=row.id)
    booking_id = row.id
    try:
        with db.begin_nested():
            _place(row, plan, span)
    except IntegrityError as error:
        _explain(db, error, plan, span, source=source, now=now, moving=booking_id)
    return queries.booking(db, public_id)


def cancel_booking(db: Session, public_id: str, *, now: datetime, by: str | None = None) -> BookingView:
    """Cancel a booking and free its room; again is the same.

    Args:
        by: public id of the user; None for the client.

    Raises:
        NotFound: no such booking.
    """
    row = _locked(db, public_id)
    if State(row.state) is not State.cancelled:
        row.state, row.cancelled_at, row.cancelled_by = State.cancelled, now, by
        for claim in row.allocations:
            claim.blocking = False
        db.flush()
    return queries.booking(db, public_id)


def change_booking(db: Session, public_id: str, *, version: int, title: str, notes: str, state: State) -> BookingView:
    """Change a booking's words, or confirm a held one.

    Raises:
        NotFound: no such booking.
        StaleBooking: it changed since `version`.
        Refused: it was cancelled, or `state` would cancel it (that is `cancel_booking`).
    """
    row = _locked(db, public_id)
    if row.version != version:
        raise StaleBooking
    if State.cancelled in {State(row.state), state}:
        raise Refused(_("This booking was cancelled. Make a new one instead."))
    row.title, row.notes, row.state = title.strip() or row.title, notes, state
    db.flush()
    return queries.booking(db, public_id)


def quote(plan: Plan, span: Span) -> Price:
    """What the room costs then.

    Raises:
        NoRate: no rate covers some moment of it.
    """
    return price(plan.rates, room_id=plan.room.id, span=span, zone=plan.zone)


def _place(row: Booking, plan: Plan, span: Span) -> None:
    """Write a room, a time and their price into a booking and its claim."""
    cost = quote(plan, span)
    row.starts_at, row.ends_at = span.starts_at, span.ends_at
    row.price_minor, row.currency = cost.amount_minor, cost.currency
    row.price_breakdown = [asdict(line) for line in cost.lines]
    claim = row.allocations[0]
    claim.resource_id, claim.resource_key = plan.room.id, room_key(plan.room.id)
    claim.starts_at, claim.ends_at = span.starts_at, span.ends_at


def _lock_room(db: Session, room_id: int) -> None:
    db.execute(select(Room.id).where(Room.id == room_id).with_for_update(key_share=True))


def _locked(db: Session, public_id: str) -> Booking:
    query = select(Booking).where(Booking.public_id == public_id).options(selectinload(Booking.allocations))
    row = db.scalar(query.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise NotFound("There is no such booking.")
    return row


def _refuse(db: Session, plan: Plan, span: Span, **asking: Any) -> None:  # Any: what `obstacle.find` takes by name
    if refused := obstacle.find(db, plan, span, **asking):
        raise refused


def _explain(db: Session, error: IntegrityError, plan: Plan, span: Span, **asking: Any) -> None:  # Any: as above
    """Turn the constraint's refusal into ours; every other integrity error goes on as it is."""
    if isinstance(error.orig, ExclusionViolation) and (refused := obstacle.find(db, plan, span, **asking)):
        raise refused from error
    raise error
