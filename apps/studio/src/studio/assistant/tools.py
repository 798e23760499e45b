"""The tools a model may call in a turn: three that read, and one that proposes. None can write.

They are bound to one studio and one person before the model sees them; no argument names either. Each runs in a transaction that
the database itself keeps read-only. They are coroutines that block on purpose: the loop serves this turn alone, and so one connection is
enough for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from babel import numbers
from flask_babel import gettext as _
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_ai import RunContext, Tool
from sqlalchemy import text
from sqlalchemy.orm import Session

from studio.assistant.rules import PROPOSALS_MAX, clean
from studio.contexts.scheduling import tools as scheduling
from studio.contexts.scheduling.errors import BookingRefused
from studio.contexts.scheduling.tools import BookingProposal
from studio.errors import Refused

NAME_LENGTH_MAX = 200
Result = dict[str, Any]  # Any: JSON


@dataclass(kw_only=True)
class Desk:
    """What the tools work with during one turn.

    Attributes:
        open_db: one transaction in the studio's database.
        now: the present, aware.
        studio: the studio's name.
        timezone: IANA name; every time the model sees or says is on this wall.
        locale: the person's language.
        proposals: what was proposed so far; written only when the turn succeeds.
    """

    open_db: Callable[[], AbstractContextManager[Session]]
    now: datetime
    studio: str
    timezone: str
    locale: str
    proposals: list[BookingProposal] = field(default_factory=list)

    def read(self, work: Callable[[Session], Result]) -> Result:
        """Run some reading; a refusal becomes part of the answer, for the model to pass on."""
        try:
            with self.open_db() as db:
                db.execute(text("SET TRANSACTION READ ONLY"))
                return work(db)
        except Refused as refusal:
            return {"refused": str(refusal)}


def _year_is_near(moment: datetime) -> datetime:
    if not 2000 <= moment.year <= 2100:
        raise ValueError("a year from 2000 to 2100")
    return moment


def _cleaned(value: object) -> object:
    return clean(value, NAME_LENGTH_MAX) if isinstance(value, str) else value


Moment = Annotated[datetime, AfterValidator(_year_is_near)]
Name = Annotated[str, BeforeValidator(_cleaned), Field(min_length=1)]
Words = Annotated[str, BeforeValidator(_cleaned)]
Minutes = Annotated[int, Field(ge=1, le=scheduling.MINUTES_MAX)]


async def list_bookings(context: RunContext[Desk], starts_at: Moment, ends_at: Moment, room: Name | None = None) -> Result:
    """List the bookings between two wall-clock times, such as 2026-11-24T00:00, in one room or all. Cancelled ones are left out."""

    def work(db: Session) -> Result:
        found = scheduling.list_bookings(db, starts_at=starts_at, ends_at=ends_at, room=room)
        listed = [
            {
                "code": b.code,
                "room": b.room,
                "starts_at": _wall(b.starts_at),
                "ends_at": _wall(b.ends_at),
                "client": b.client,
                "title": b.title,
                "state": b.state,
            }
            for b in found
        ]
        return {"bookings": listed, "there_may_be_more": len(found) == scheduling.LISTED_MAX}

    return context.deps.read(work)


async def find_free_slots(
    context: RunContext[Desk], minutes: Minutes, starts_at: Moment, ends_at: Moment, room: Name | None = None
) -> Result:
    """Find free slots of a length between two wall-clock times, soonest first, in one room or any."""

    def work(db: Session) -> Result:
        desk = context.deps
        slots = scheduling.find_free_slots(db, minutes=minutes, starts_at=starts_at, ends_at=ends_at, now=desk.now, room=room, count=5)
        return {
            "slots": [
                {
                    "room": s.room,
                    "starts_at": _wall(s.starts_at),
                    "ends_at": _wall(s.ends_at),
                    "price": _money(s.price_minor, s.currency, desk.locale),
                }
                for s in slots
            ]
        }

    return context.deps.read(work)


async def price_booking(context: RunContext[Desk], room: Name, starts_at: Moment, ends_at: Moment) -> Result:
    """Tell whether a room can be booked between two wall-clock times, what it costs, and if not, why and what is free instead."""

    def work(db: Session) -> Result:
        desk = context.deps
        slot = scheduling.price_booking(db, room=room, starts_at=starts_at, ends_at=ends_at)
        said = {"room": slot.room, "starts_at": _wall(slot.starts_at), "ends_at": _wall(slot.ends_at)}
        try:
            scheduling.propose_booking(db, room=room, starts_at=starts_at, ends_at=ends_at, now=desk.now)
        except BookingRefused as refusal:
            return {**said, "is_free": False, "reason": str(refusal)}
        return {**said, "is_free": True, "price": _money(slot.price_minor, slot.currency, desk.locale)}

    return context.deps.read(work)


async def propose_booking(  # noqa: PLR0917  # a model names its arguments
    context: RunContext[Desk], room: Name, starts_at: Moment, ends_at: Moment, client: Name, title: Words = ""
) -> Result:
    """Prepare a booking for the person to confirm or reject on a card. Nothing is booked by this."""

    def work(db: Session) -> Result:
        desk = context.deps
        if len(desk.proposals) >= PROPOSALS_MAX:
            return {"refused": _("At most %(count)s proposals fit in one answer.", count=PROPOSALS_MAX)}
        proposal = scheduling.propose_booking(
            db, room=room, starts_at=starts_at, ends_at=ends_at, now=desk.now, client_name=client, title=title
        )
        desk.proposals.append(proposal)
        return {
            "is_booked": False,
            "room": proposal.room_name,
            "starts_at": _wall(proposal.starts_at.astimezone(ZoneInfo(desk.timezone))),
            "ends_at": _wall(proposal.ends_at.astimezone(ZoneInfo(desk.timezone))),
            "client": proposal.client_name,
            "price": _money(proposal.price_minor, proposal.currency, desk.locale),
        }

    return context.deps.read(work)


TOOLS = tuple(Tool(tool, takes_ctx=True) for tool in (list_bookings, find_free_slots, price_booking, propose_booking))


def _wall(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="minutes")


def _money(amount_minor: int | None, currency: str, locale: str) -> str | None:
    if amount_minor is None:
        return None
    digits = numbers.get_currency_precision(currency)
    return numbers.format_currency(Decimal(amount_minor).scaleb(-digits), currency, locale=locale)
