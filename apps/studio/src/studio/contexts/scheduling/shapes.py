"""What scheduling tells others: rooms, bookings, a room's plan and the Today board, read once and then fixed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from studio.contexts.crm.queries import Client
from studio.contexts.scheduling.prices import PriceLine, Rate
from studio.contexts.scheduling.rules import gaps, windows
from studio.contexts.scheduling.values import Opening, Source, Span, State


@dataclass(frozen=True, kw_only=True)
class RoomView:
    """A room, for pages and rules. Lengths are in minutes."""

    id: int
    public_id: str
    name: str
    kind: str
    capacity: int
    colour: str
    description: str
    slot_minutes: int
    min_minutes: int
    max_minutes: int
    min_notice_hours: int
    horizon_days: int
    is_public: bool
    version: int


@dataclass(frozen=True, kw_only=True)
class BookingView:
    """A booking with its room and client."""

    id: int
    public_id: str
    number: int
    state: State
    title: str
    notes: str
    source: Source
    span: Span
    room: RoomView
    client: Client | None
    price_minor: int
    currency: str
    price_lines: tuple[PriceLine, ...]
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def code(self) -> str:
        """How people name it: B-1001."""
        return f"B-{self.number}"

    @property
    def is_movable(self) -> bool:
        """Whether it still has a place to be moved from."""
        return self.state is not State.cancelled


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides whether a room can be had, and for how much."""

    room: RoomView
    zone: ZoneInfo
    openings: tuple[Opening, ...]
    rates: tuple[Rate, ...]

    def windows(self, first: datetime, *, days: int) -> list[Span]:
        """When the room is open during some days from the day of `first` on the wall."""
        return windows(self.openings, zone=self.zone, first=first.astimezone(self.zone).date(), days=days)

    def closed(self, during: Span) -> list[Span]:
        """When the room is not open during a while."""
        return gaps(during, self.windows(during.starts_at, days=(during.ends_at - during.starts_at).days + 2))


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One room on the Today board."""

    room: RoomView
    now: BookingView | None
    next: BookingView | None


@dataclass(frozen=True, kw_only=True)
class Today:
    """The board: what happens in each room, and the day's bookings in order."""

    lanes: tuple[Lane, ...]
    bookings: tuple[BookingView, ...]
