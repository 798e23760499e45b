"""The timeline of rooms by hour, and the JSON that it draws."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, jsonify, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext

from studio.contexts.scheduling import queries
from studio.contexts.scheduling.setup_forms import ROOM_KINDS
from studio.contexts.scheduling.shapes import BookingView, RoomView
from studio.contexts.scheduling.values import Opening, Span, State, is_bookable, minute_of
from studio.contexts.scheduling.views.pages import blueprint, is_writable, now
from studio.contexts.settings import queries as settings_queries
from studio.errors import BadInput
from studio.web.access import staff_only
from studio.web.page import duration, money
from studio.web.request import studio_db

RANGE_DAYS_MAX = 62


@blueprint.get("/app/calendar")
@staff_only
def calendar() -> str:
    """One day of all rooms."""
    instant = now()
    with studio_db() as db:
        settings, rooms, hours = settings_queries.load(db), queries.rooms(db), queries.openings(db)
        day = asked_day(settings.zone, instant)
        listed = queries.bookings(db, Span(starts_at=minute_of(day, 0, settings.zone), ends_at=minute_of(day, 1440, settings.zone)))
    opens, closes = shown_hours(hours)
    return render_template(
        "scheduling/calendar.html",
        settings=settings,
        rooms=rooms,
        day=day,
        today=instant.astimezone(settings.zone).date(),
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        opens=opens,
        closes=closes,
        bookings=listed,
        writable=is_writable(),
    )


@blueprint.get("/app/calendar/rooms.json")
@staff_only
def rooms_json() -> Response:
    """The timeline's rows."""
    kinds = dict(ROOM_KINDS)
    with studio_db() as db:
        found = queries.rooms(db)
    return jsonify([{"id": r.public_id, "title": r.name, "subtitle": _subtitle(r, kinds), "color": r.colour} for r in found])


def _subtitle(room: RoomView, kinds: dict[str, Any]) -> str:
    people = ngettext("%(num)s person", "%(num)s people", room.capacity)
    return f"{kinds.get(room.kind, room.kind)} · {people}"


@blueprint.get("/app/calendar/bookings.json")
@staff_only
def bookings_json() -> Response:
    """Bookings and closed hours that overlap the asked wall-clock range.

    Raises:
        BadInput: the range is missing, upside down or longer than `RANGE_DAYS_MAX`.
    """
    instant = now()
    with studio_db() as db:
        zone = settings_queries.load(db).zone
        asked = _asked_range(zone)
        found = queries.bookings(db, asked)
        plans = queries.plans(db, queries.rooms(db))
    closed = [
        {
            "id": f"closed-{plan.room.public_id}-{number}",
            "room": plan.room.public_id,
            "start": wall(gap.starts_at, zone),
            "end": wall(gap.ends_at, zone),
            "title": _("Closed"),
            "state": "closed",
            "detail": None,
            "url": None,
            "is_movable": False,
        }
        for plan in plans
        for number, gap in enumerate(plan.closed(asked))
    ]
    return jsonify([*(_event(b, zone, instant) for b in found), *closed])


def asked_day(zone: ZoneInfo, instant: datetime) -> date:
    """The day in the address, else today on the wall."""
    try:
        asked = date.fromisoformat(request.args.get("date", ""))
    except ValueError:
        asked = date.min
    return asked if is_bookable(asked) else instant.astimezone(zone).date()


def shown_hours(hours: tuple[Opening, ...]) -> tuple[str, str]:
    """The first and last hour worth showing, as HH:MM; the last may pass 24:00."""
    opens = min((h.opens_minute for h in hours), default=8 * 60) // 60
    closes = -(-max((h.closes_minute for h in hours), default=24 * 60) // 60)
    return f"{opens:02}:00", f"{min(closes, opens + 24):02}:00"


def wall(instant: datetime, zone: ZoneInfo) -> str:
    """An instant on the studio's wall clock, as the calendar writes it."""
    return instant.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def _asked_range(zone: ZoneInfo) -> Span:
    try:
        start, end = (datetime.fromisoformat(request.args[name]).replace(tzinfo=None) for name in ("start", "end"))
    except (KeyError, ValueError) as error:
        raise BadInput("start", _("Give start and end as 2026-11-24T00:00.")) from error
    if not is_bookable(start.date()) or not timedelta() < end - start <= timedelta(days=RANGE_DAYS_MAX):
        raise BadInput("end", _("Ask for one moment at the least and two months at the most."))
    first, last = (minute_of(w.date(), w.hour * 60 + w.minute, zone) for w in (start, end))
    return Span(starts_at=first, ends_at=last)


def _event(found: BookingView, zone: ZoneInfo, instant: datetime) -> dict[str, Any]:  # Any: JSON
    state = "hold" if found.state is State.held else "done" if found.span.ends_at <= instant else "confirmed"
    return {
        "id": found.public_id,
        "room": found.room.public_id,
        "start": wall(found.span.starts_at, zone),
        "end": wall(found.span.ends_at, zone),
        "title": found.title,
        "state": state,
        "detail": f"{duration(found.span.minutes)} · {money(found.price_minor, found.currency)}",
        "url": f"/app/bookings/{found.public_id}",
        "is_movable": found.is_movable,
    }
