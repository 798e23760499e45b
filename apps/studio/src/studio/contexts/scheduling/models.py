"""Rows of rooms, their hours and rates, bookings, and who has what when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, ForeignKey, Index, Sequence, String, Text, column, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studio.contexts.crm.models import Party
from studio.contexts.rows import Stamped
from studio.db import StudioBase

BOOKING_NUMBERS = Sequence("booking_number", start=1001, metadata=StudioBase.metadata)
NO_OVERLAP = "allocation_no_overlap"


class Room(Stamped, StudioBase):
    """A space that can be booked.

    Attributes:
        slot_minutes: distance between two possible starts, on the public page and in searches.
        min_notice_hours: how long before it starts the public must book.
        horizon_days: how far ahead the public may book.
        position: its place in lists.
    """

    __tablename__ = "room"

    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16))
    capacity: Mapped[int]
    colour: Mapped[str] = mapped_column(String(7))
    description: Mapped[str] = mapped_column(Text, default="")
    slot_minutes: Mapped[int] = mapped_column(default=30)
    min_minutes: Mapped[int] = mapped_column(default=60)
    max_minutes: Mapped[int] = mapped_column(default=720)
    min_notice_hours: Mapped[int] = mapped_column(default=2)
    horizon_days: Mapped[int] = mapped_column(default=90)
    is_public: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class OpeningRule(Stamped, StudioBase):
    """Weekly opening hours of the studio, or of one room. See `rules.Opening`."""

    __tablename__ = "opening_rule"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="opening_rule_weekday"),
        CheckConstraint(
            "opens_minute >= 0 AND opens_minute < 1440 AND closes_minute > opens_minute AND closes_minute <= 2880",
            name="opening_rule_minutes",
        ),
    )

    room_id: Mapped[int | None] = mapped_column(ForeignKey("room.id", ondelete="CASCADE"), index=True)
    weekday: Mapped[int]
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]


class RateRule(Stamped, StudioBase):
    """A price for a target. Today the target is a room (or every room) and the unit an hour.

    Attributes:
        target_id: the room's id; None for every room.
        applies: `{"weekdays": [5, 6], "from_minute": 1080, "to_minute": 1440}`, each optional.
    """

    __tablename__ = "rate_rule"
    __table_args__ = (
        CheckConstraint("price_minor >= 0", name="rate_rule_price"),
        Index("ix_rate_rule_target", "target_kind", "target_id"),
    )

    target_kind: Mapped[str] = mapped_column(String(16))
    target_id: Mapped[int | None]
    unit: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    priority: Mapped[int] = mapped_column(default=0)
    applies: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # JSON's own value type


class Booking(Stamped, StudioBase):
    """The commercial reservation.

    Attributes:
        number: counts up from 1001 within the studio.
        idempotency_key: what makes a repeated request the same booking.
        price_breakdown: the price's lines as they were when it was priced.
    """

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="booking_span"),
        CheckConstraint("price_minor >= 0", name="booking_price"),
        Index("ix_booking_starts_at", "starts_at"),
    )

    number: Mapped[int] = mapped_column(BOOKING_NUMBERS, server_default=BOOKING_NUMBERS.next_value(), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    client_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    notes: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(String(16))
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    price_breakdown: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # JSON's own value type
    idempotency_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    created_by: Mapped[str | None] = mapped_column(String(64))
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancelled_by: Mapped[str | None] = mapped_column(String(64))

    client: Mapped[Party | None] = relationship(lazy="raise")
    allocations: Mapped[list[Allocation]] = relationship(back_populates="booking", lazy="raise", cascade="all, delete-orphan")


class Allocation(Stamped, StudioBase):
    """A claim of a booking on a resource. The database lets no two blocking claims on one resource overlap.

    Attributes:
        resource_key: kind and id, such as `room:3`; what the exclusion constraint compares.
        blocking: whether it keeps others out; false once released.
    """

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="allocation_span"),
        ExcludeConstraint(
            (column("resource_key"), "="),
            (func.tstzrange(column("starts_at"), column("ends_at")), "&&"),
            where=text("blocking"),
            using="gist",
            name=NO_OVERLAP,
        ),
    )

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"), index=True)
    resource_kind: Mapped[str] = mapped_column(String(16))
    resource_id: Mapped[int]
    resource_key: Mapped[str] = mapped_column(String(32))
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    blocking: Mapped[bool] = mapped_column(default=True)

    booking: Mapped[Booking] = relationship(back_populates="allocations", lazy="raise")


def room_key(room_id: int) -> str:
    """A room's resource key."""
    return f"room:{room_id}"
