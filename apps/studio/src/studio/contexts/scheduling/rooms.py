"""Setting rooms up: what they are, when they are open, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from flask_babel import gettext as _
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from studio.contexts.scheduling.models import Allocation, OpeningRule, RateRule, Room
from studio.contexts.scheduling.values import Opening
from studio.contexts.settings import queries as settings_queries
from studio.errors import BadInput, NotFound, Refused

ROOMS_MAX = 50
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442")  # Okabe and Ito: told apart by everyone


@dataclass(frozen=True, kw_only=True)
class RoomInput:
    """A room as a form gives it.

    Attributes:
        public_id: None for a new room.
        version: the version the person saw; None for a new room.
    """

    public_id: str | None
    version: int | None
    name: str
    kind: str
    capacity: int
    description: str = ""
    slot_minutes: int = 30
    min_minutes: int = 60
    max_minutes: int = 720
    min_notice_hours: int = 2
    horizon_days: int = 90
    is_public: bool = True


def save_room(db: Session, given: RoomInput) -> str:
    """Write a room, new or changed; returns its public id.

    Raises:
        NotFound: no such room.
        Refused: someone else changed it since, or there are `ROOMS_MAX` already.
        BadInput: another room has this name, or the lengths contradict each other.
    """
    name = " ".join(given.name.split())
    if not name:
        raise BadInput("name", _("Give the room a name."))
    if given.max_minutes < given.min_minutes:
        raise BadInput("max_minutes", _("The longest booking cannot be shorter than the shortest."))
    count = db.scalar(select(func.count()).select_from(Room).where(Room.archived_at.is_(None))) or 0
    if given.public_id is None:
        if count >= ROOMS_MAX:
            raise Refused(_("A studio has at most %(count)s rooms.", count=ROOMS_MAX))
        row = Room(colour=COLOURS[count % len(COLOURS)], position=count)
        db.add(row)
    else:
        row = _room(db, given.public_id)
        if given.version is not None and row.version != given.version:
            raise Refused(_("Somebody else changed this room in the meantime. Look at it again, then repeat your change."))
    with db.no_autoflush:
        same = db.scalar(select(Room).where(func.lower(Room.name) == name.lower(), Room.archived_at.is_(None)))
    if same is not None and same is not row:
        raise BadInput("name", _("There is already a room called %(name)s.", name=name))
    row.name, row.kind, row.capacity, row.description = name, given.kind, given.capacity, given.description
    row.slot_minutes, row.min_minutes, row.max_minutes = given.slot_minutes, given.min_minutes, given.max_minutes
    row.min_notice_hours, row.horizon_days, row.is_public = given.min_notice_hours, given.horizon_days, given.is_public
    db.flush()
    return row.public_id


def archive_room(db: Session, public_id: str, *, now: datetime) -> None:
    """Take a room out of use; its past bookings stay. Again is the same.

    Raises:
        NotFound: no such room.
        Refused: it has bookings ahead.
    """
    row = db.scalar(select(Room).where(Room.public_id == public_id).with_for_update())
    if row is None:
        raise NotFound("There is no such room.")
    ahead = db.scalar(
        select(func.count())
        .select_from(Allocation)
        .where(Allocation.resource_kind == "room", Allocation.resource_id == row.id, Allocation.blocking, Allocation.ends_at > now)
    )
    if ahead:
        raise Refused(_("%(room)s has bookings ahead (%(count)s). Move or cancel them first.", room=row.name, count=ahead))
    if row.archived_at is None:
        row.archived_at = now
        db.flush()


def set_opening(db: Session, hours: Sequence[Opening], *, room_id: int | None = None) -> None:
    """Replace the weekly hours of the studio, or of one room. Bookings that exist stay where they are.

    Raises:
        BadInput: two openings of one day overlap.
    """
    by_start = sorted(hours, key=lambda h: (h.weekday, h.opens_minute))
    for earlier, later in pairwise(by_start):
        if earlier.weekday == later.weekday and later.opens_minute < earlier.closes_minute:
            raise BadInput("hours", _("Two openings of one day overlap."))
    db.execute(delete(OpeningRule).where(OpeningRule.room_id.is_(None) if room_id is None else OpeningRule.room_id == room_id))
    db.add_all(
        OpeningRule(room_id=room_id, weekday=h.weekday, opens_minute=h.opens_minute, closes_minute=h.closes_minute) for h in by_start
    )
    db.flush()


def set_hourly(db: Session, prices: Mapping[int, int]) -> None:
    """Set the plain hourly price of rooms, in minor units of the studio's currency, by room id. Bookings keep their price.

    Raises:
        BadInput: a price is negative.
    """
    currency = settings_queries.load(db).currency
    for room_id, price_minor in prices.items():
        if price_minor < 0:
            raise BadInput("price", _("A price cannot be negative."))
        row = db.scalar(
            select(RateRule).where(RateRule.target_kind == "room", RateRule.target_id == room_id, RateRule.priority == 0).limit(1)
        )
        if row is None:
            row = RateRule(target_kind="room", target_id=room_id, unit="hour", name="", priority=0, applies={})
            db.add(row)
        row.price_minor, row.currency = price_minor, currency
    db.flush()


def add_special_rate(
    db: Session, *, name: str, room_id: int | None, price_minor: int, weekdays: Sequence[int], from_minute: int, to_minute: int
) -> None:
    """Add a rate that wins over the plain one on some days and hours. A later one wins over an earlier one.

    Args:
        room_id: None for every room.
        weekdays: 0 is Monday; empty for every day.

    Raises:
        BadInput: the hours are empty or the price is negative.
    """
    if not 0 <= from_minute < to_minute <= 1440:
        raise BadInput("to_time", _("The rate must end after it begins, on the same day."))
    if price_minor < 0:
        raise BadInput("price", _("A price cannot be negative."))
    highest = db.scalar(select(func.max(RateRule.priority))) or 0
    applies: dict[str, object] = {"from_minute": from_minute, "to_minute": to_minute}
    if weekdays:
        applies["weekdays"] = sorted(set(weekdays))
    db.add(
        RateRule(
            target_kind="room",
            target_id=room_id,
            unit="hour",
            name=name.strip(),
            price_minor=price_minor,
            currency=settings_queries.load(db).currency,
            priority=highest + 1,
            applies=applies,
        )
    )
    db.flush()


def remove_special_rate(db: Session, public_id: str) -> None:
    """Remove a special rate.

    Raises:
        NotFound: there is none, or it is a plain rate.
    """
    removed = delete(RateRule).where(RateRule.public_id == public_id, RateRule.priority > 0).returning(RateRule.id)
    if db.scalar(removed) is None:
        raise NotFound("There is no such special rate.")


def _room(db: Session, public_id: str) -> Room:
    row = db.scalar(select(Room).where(Room.public_id == public_id, Room.archived_at.is_(None)).with_for_update())
    if row is None:
        raise NotFound("There is no such room.")
    return row
