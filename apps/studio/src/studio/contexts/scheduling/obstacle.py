"""The one answer to "can this room be had then?": pages warn with it, use cases refuse with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from studio.contexts.scheduling import queries
from studio.contexts.scheduling.errors import BookingRefused, OutOfPolicy, RoomClosed, RoomTaken, RoomUnpriced
from studio.contexts.scheduling.prices import NoRate, price
from studio.contexts.scheduling.rules import SEARCH_DAYS, free_slots, is_open
from studio.contexts.scheduling.shapes import Plan
from studio.contexts.scheduling.values import Source, Span, day_span


def find(db: Session, plan: Plan, asked: Span, *, source: Source, now: datetime, moving: int | None = None) -> BookingRefused | None:
    """Why the room cannot be had at that time, as the error to raise or to show; None when it can.

    Args:
        source: the public is held to notice and length, and is not told who has the room.
        now: decides what is too soon.
        moving: id of the booking that asks, when it has a place already.
    """
    if source is Source.public and (refused := _policy(plan, asked, now)):
        return refused
    facts: dict[str, Any] = {"room": plan.room.name, "room_public_id": plan.room.public_id, "asked": asked}  # Any: of three types
    if not is_open(plan.windows(asked.starts_at, days=2 + asked.minutes // 1440), asked):
        day = day_span(asked.starts_at.astimezone(plan.zone).date(), plan.zone)
        hours = tuple(w for w in plan.windows(asked.starts_at, days=1) if w.overlaps(day))
        free = next_free(db, plan, asked, source=source, now=now, moving=moving)
        return RoomClosed(**facts, next_free=free, open_that_day=hours, zone=plan.zone)
    try:
        price(plan.rates, room_id=plan.room.id, span=asked, zone=plan.zone)
    except NoRate:
        return RoomUnpriced(**facts)
    other = queries.conflict(db, plan.room.id, asked, moving=moving)
    if other is None:
        return None
    client = other.client.name if other.client and source is not Source.public else None
    free = next_free(db, plan, asked, source=source, now=now, moving=moving)
    return RoomTaken(**facts, next_free=free, taken=other.span, client=client, zone=plan.zone)


def next_free(db: Session, plan: Plan, asked: Span, *, source: Source, now: datetime, moving: int | None = None) -> Span | None:
    """The first free slot of the asked length from the asked time on, within `SEARCH_DAYS`; None when there is none."""
    not_before = max(asked.starts_at, earliest(plan, source=source, now=now))
    slots = free(db, plan, minutes=asked.minutes, not_before=not_before, days=SEARCH_DAYS, limit=1, moving=moving)
    return slots[0] if slots else None


def free(db: Session, plan: Plan, *, minutes: int, not_before: datetime, days: int, limit: int, moving: int | None = None) -> list[Span]:
    """The first `limit` free slots of a length during some days from `not_before` on."""
    taken = queries.taken(db, plan.room.id, queries.search_span(not_before), moving=moving)
    return free_slots(
        plan.windows(not_before, days=min(days, SEARCH_DAYS)),
        taken,
        minutes=minutes,
        step_minutes=plan.room.slot_minutes,
        not_before=not_before,
        limit=limit,
    )


def earliest(plan: Plan, *, source: Source, now: datetime) -> datetime:
    """Before when nothing is offered: now, and for the public the room's notice later."""
    return now + timedelta(hours=plan.room.min_notice_hours) if source is Source.public else now


def _policy(plan: Plan, asked: Span, now: datetime) -> OutOfPolicy | None:
    """What the public may not do, in the order of a person's likely mistakes."""
    room = plan.room
    sentence = None
    if not room.is_public:
        sentence = _("%(room)s cannot be booked online. Please contact the studio.", room=room.name)
    elif asked.minutes < room.min_minutes or asked.minutes > room.max_minutes:
        sentence = _(
            "%(room)s can be booked online for %(least)s to %(most)s minutes.",
            room=room.name,
            least=room.min_minutes,
            most=room.max_minutes,
        )
    elif asked.starts_at < earliest(plan, source=Source.public, now=now):
        sentence = _(
            "That is too soon: %(room)s needs at least %(hours)s hours of notice. Please contact the studio or choose a later time.",
            room=room.name,
            hours=room.min_notice_hours,
        )
    elif asked.starts_at > now + timedelta(days=room.horizon_days):
        sentence = _("%(room)s can be booked online up to %(days)s days ahead.", room=room.name, days=room.horizon_days)
    if sentence is None:
        return None
    return OutOfPolicy(sentence, room=room.name, room_public_id=room.public_id, asked=asked, next_free=None)
