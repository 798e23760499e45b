"""The studio's public page, and booking a room without an account."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from babel.dates import get_day_names
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from studio.contexts.scheduling import queries as scheduling
from studio.contexts.scheduling.errors import BookingRefused, span_text
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.shapes import BookingView
from studio.contexts.scheduling.values import Span, State
from studio.contexts.settings import queries as settings_queries
from studio.contexts.settings.queries import Settings
from studio.db import new_public_id
from studio.errors import NotFound, Refused
from studio.platform import queue
from studio.platform.throttle import BOOKING_BY_ADDRESS, count_attempt
from studio.public import ics, queries, service
from studio.public.forms import BookForm
from studio.public.queries import Choices, RoomCard
from studio.web.request import control_db, current_studio, services, studio_db

blueprint = Blueprint("public", __name__, template_folder="templates")


@blueprint.get("/")
def home() -> str:
    """The studio's page: rooms, prices, hours."""
    with studio_db() as db:
        settings = settings_queries.load(db)
        cards, week = queries.room_cards(db, settings.currency), queries.week(scheduling.openings(db))
    return render_template(
        "public/home.html", settings=settings, cards=cards, week=week, is_open=_is_open(), days=get_day_names("wide", locale=get_locale())
    )


@blueprint.get("/book")
def book() -> str:
    """Choose room, day, start and length; each choice is a link, so it works without JavaScript."""
    with studio_db() as db:
        settings = settings_queries.load(db)
        cards = queries.room_cards(db, settings.currency)
        room = request.args.get("room") or (cards[0].room.public_id if len(cards) == 1 else None)
        if room is None:
            return _page(settings, cards)
        if room not in {c.room.public_id for c in cards}:
            raise NotFound("There is no such room to book online.")
        found = queries.choices(
            db,
            room,
            now=_now(),
            first=_date("from"),
            day=_date("day"),
            start=queries.parse_start(request.args.get("start", "")),
            minutes=_number(request.args.get("minutes")),
        )
    return _page(settings, cards, found, _form(found))


@blueprint.post("/book")
def book_now() -> BaseResponse | tuple[str, int]:
    """Book what was chosen; pressed twice, it books once."""
    form = BookForm()
    start, minutes = queries.parse_start(form.start.data or ""), _number(form.minutes.data)
    with control_db() as control:
        count_attempt(control, BOOKING_BY_ADDRESS, "booking", current_studio().key, request.remote_addr or "")
    refused: Refused | None = None
    if form.validate() and start is not None and minutes is not None:
        try:
            made, settings = _make(form, Span(starts_at=start, ends_at=start + timedelta(minutes=minutes)))
        except Refused as error:
            refused = error
        else:
            _confirm(made, settings)
            return redirect(url_for("public.booking", public_id=made.public_id), 303)
    with studio_db() as db:
        settings = settings_queries.load(db)
        cards = queries.room_cards(db, settings.currency)
        found = queries.choices(db, form.room.data or "", now=_now(), first=None, day=None, start=start, minutes=minutes)
    return _page(settings, cards, found, form, refused), 409 if refused else 422


@blueprint.get("/book/<public_id>")
def booking(public_id: str) -> str:
    """The visitor's booking, behind its unguessable address."""
    with studio_db() as db:
        return _booking_page(service.find(db, public_id), settings_queries.load(db))


@blueprint.post("/book/<public_id>/cancellation")
def cancel(public_id: str) -> BaseResponse | tuple[str, int]:
    """Cancel it, until it begins."""
    try:
        with studio_db() as db:
            service.cancel(db, public_id, now=_now())
    except Refused as error:
        with studio_db() as db:
            return _booking_page(service.find(db, public_id), settings_queries.load(db), error), 409
    return redirect(url_for("public.booking", public_id=public_id), 303)


@blueprint.get("/book/<public_id>/calendar.ics")
def calendar_file(public_id: str) -> Response:
    """The booking for the visitor's own calendar."""
    with studio_db() as db:
        found, settings = service.find(db, public_id), settings_queries.load(db)
    text = ics.event(
        uid=found.public_id,
        starts_at=found.span.starts_at,
        ends_at=found.span.ends_at,
        stamp=found.updated_at,
        sequence=found.version,
        summary=f"{settings.name}: {found.room.name}",
        location=settings.name,
        url=url_for("public.booking", public_id=public_id, _external=True),
        is_cancelled=found.state is State.cancelled,
    )
    return Response(text, mimetype="text/calendar", headers={"Content-Disposition": f'attachment; filename="{found.code}.ics"'})


def _make(form: BookForm, span: Span) -> tuple[BookingView, Settings]:
    if not _is_open():
        raise Refused(_("Online booking is closed at the moment. Please contact the studio."))
    with studio_db() as db:
        client = ClientInput(name=form.name.data or "", email=form.email.data, phone=form.phone.data)
        made = service.book(
            db, token=form.token.data or "", room=form.room.data or "", span=span, client=client, notes=form.notes.data or "", now=_now()
        )
        return made, settings_queries.load(db)


def _confirm(made: BookingView, settings: Settings) -> None:
    """Queue the e-mail once the booking is committed; the key makes a repeated request repair a crash in between."""
    url = url_for("public.booking", public_id=made.public_id, _external=True)
    with control_db() as control:
        service.notify_booked(control, made, settings=settings, url=url, locale=get_locale().language)
        queue.enqueue(control, services().jobs, "deliver_mail")


def _form(found: Choices) -> BookForm:
    form = BookForm(formdata=None, token=new_public_id(), room=found.plan.room.public_id)
    if found.span is not None:
        form.start.data, form.minutes.data = found.span.starts_at.isoformat(), str(found.span.minutes)
    return form


def _page(
    settings: Settings, cards: list[RoomCard], found: Choices | None = None, form: BookForm | None = None, refused: Refused | None = None
) -> str:
    offer = refused.next_free if isinstance(refused, BookingRefused) else None
    return render_template(
        "public/book.html",
        settings=settings,
        cards=cards,
        choices=found,
        form=form,
        refused=refused,
        offer=offer,
        offer_text=span_text(offer, settings.zone) if offer else None,
        is_open=_is_open(),
    )


def _booking_page(found: BookingView, settings: Settings, refused: Refused | None = None) -> str:
    return render_template(
        "public/booking.html",
        booking=found,
        settings=settings,
        when=span_text(found.span, settings.zone),
        refused=refused,
        can_cancel=found.state is not State.cancelled and found.span.starts_at > _now() and _is_open(),
    )


def _is_open() -> bool:
    """Whether the studio's plan lets bookings be written."""
    return current_studio().access.may_write


def _now() -> datetime:
    return datetime.now(UTC)


def _date(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None
