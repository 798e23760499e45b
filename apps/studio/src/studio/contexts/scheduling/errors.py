"""Why a room cannot be had. Each is made by `obstacle.find`, so that a warning and a refusal are the same sentence.

Refused
├── BookingRefused      base: the room, the asked time, and the next free slot when one is known
│   ├── RoomTaken       another booking has the room then
│   ├── RoomClosed      outside the opening hours
│   ├── RoomUnpriced    no rate covers that time
│   └── OutOfPolicy     too short, too long, too soon or too far ahead for the public
└── StaleBooking        somebody else changed the booking since the person looked
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_time
from flask_babel import get_locale
from flask_babel import gettext as _

from studio.contexts.scheduling.values import Span
from studio.errors import Refused


class BookingRefused(Refused):
    """The room cannot be had at the asked time.

    Attributes:
        room: its name.
        room_public_id: its id in addresses.
        asked: what was asked for.
        next_free: the next slot of the same length; None when none was found within the search.
    """

    def __init__(self, sentence: str, *, room: str, room_public_id: str, asked: Span, next_free: Span | None) -> None:
        super().__init__(sentence)
        self.room, self.room_public_id, self.asked, self.next_free = room, room_public_id, asked, next_free


class RoomTaken(BookingRefused):
    """Another booking has the room at that time.

    Attributes:
        taken: when the other booking is.
        client: its client's name; None when the asker may not know it, or it has none.
    """

    def __init__(
        self, *, room: str, room_public_id: str, asked: Span, next_free: Span | None, taken: Span, client: str | None, zone: ZoneInfo
    ) -> None:
        when = span_text(taken, zone)
        if client:
            sentence = _("%(room)s is booked %(when)s by %(client)s.", room=room, when=when, client=client)
        else:
            sentence = _("%(room)s is already booked %(when)s.", room=room, when=when)
        super().__init__(
            f"{sentence} {next_free_text(next_free, zone)}", room=room, room_public_id=room_public_id, asked=asked, next_free=next_free
        )
        self.taken, self.client = taken, client


class RoomClosed(BookingRefused):
    """The room is not open for the whole of that time.

    Attributes:
        open_that_day: when it is open on the day asked for, in order.
    """

    def __init__(
        self, *, room: str, room_public_id: str, asked: Span, next_free: Span | None, open_that_day: tuple[Span, ...], zone: ZoneInfo
    ) -> None:
        day = format_date(asked.starts_at.astimezone(zone), "full", locale=locale())
        hours = ", ".join(f"{clock(s.starts_at, zone)}–{clock(s.ends_at, zone)}" for s in open_that_day)
        if hours:
            sentence = _("%(room)s is open %(hours)s on %(day)s.", room=room, hours=hours, day=day)
        else:
            sentence = _("%(room)s is closed on %(day)s.", room=room, day=day)
        super().__init__(
            f"{sentence} {next_free_text(next_free, zone)}", room=room, room_public_id=room_public_id, asked=asked, next_free=next_free
        )
        self.open_that_day = open_that_day


class RoomUnpriced(BookingRefused):
    """No rate covers that time, so nobody can say what it costs."""

    def __init__(self, *, room: str, room_public_id: str, asked: Span) -> None:
        sentence = _("%(room)s has no rate at that time. Set one in the settings, under Rates.", room=room)
        super().__init__(sentence, room=room, room_public_id=room_public_id, asked=asked, next_free=None)


class OutOfPolicy(BookingRefused):
    """The public may not book this short, long, soon or far ahead; the sentence says the limit."""


class StaleBooking(Refused):
    """Somebody else changed the booking since the person looked at it."""

    def __init__(self) -> None:
        super().__init__(_("Somebody else changed this booking in the meantime. Look at it again, then repeat your change."))


def locale() -> str:
    """The asker's language; English where nobody asks."""
    return str(get_locale() or "en")  # type: ignore[truthy-bool]  # None outside of a request, whatever its stubs say


def clock(instant: datetime, zone: ZoneInfo) -> str:
    """A time of day as the asker writes it."""
    return format_time(instant, "short", tzinfo=zone, locale=locale())


def day_text(instant: datetime, zone: ZoneInfo) -> str:
    """A day as the asker says it, without the year: Tue 24 Nov."""
    return format_skeleton("MMMEd", instant, tzinfo=zone, locale=locale())


def span_text(span: Span, zone: ZoneInfo) -> str:
    """A day and its times; the second day too when it ends on another."""
    start, end = span.starts_at.astimezone(zone), span.ends_at.astimezone(zone)
    if start.date() == end.date():
        return f"{day_text(start, zone)}, {clock(start, zone)}–{clock(end, zone)}"
    return f"{day_text(start, zone)}, {clock(start, zone)} – {day_text(end, zone)}, {clock(end, zone)}"


def next_free_text(next_free: Span | None, zone: ZoneInfo) -> str:
    """The sentence that offers the next free slot."""
    if next_free is None:
        return str(_("No slot of this length is free in the next weeks."))
    return str(_("The next free slot is %(when)s.", when=span_text(next_free, zone)))
