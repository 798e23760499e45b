"""Reading, moving and cancelling bookings, as pages and as parts of the calendar's drawer."""

from __future__ import annotations

from datetime import timedelta

from flask import jsonify, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from studio.contexts.scheduling import queries, service
from studio.contexts.scheduling.forms import DetailsForm, MoveForm, PlaceForm
from studio.contexts.scheduling.shapes import BookingView
from studio.contexts.scheduling.values import State, day_span
from studio.contexts.scheduling.views.calendar import asked_day
from studio.contexts.scheduling.views.pages import blueprint, done, is_fragment, is_writable, now, wall_argument, when
from studio.contexts.settings import queries as settings_queries
from studio.contexts.settings.queries import Settings
from studio.errors import BadInput, NotFound, Refused
from studio.web.access import staff_only
from studio.web.page import duration, money
from studio.web.request import actor, studio_db

LIST_DAYS = 31


@blueprint.get("/app/bookings")
@staff_only
def bookings() -> str:
    """A month of bookings as a list, from a day on: the calendar without a timeline."""
    with studio_db() as db:
        settings = settings_queries.load(db)
        day = asked_day(settings.zone, now())
        found = queries.bookings(db, day_span(day, settings.zone, LIST_DAYS), with_cancelled=True)
    return render_template(
        "scheduling/bookings.html",
        bookings=found,
        settings=settings,
        day=day,
        before=day - timedelta(days=LIST_DAYS),
        after=day + timedelta(days=LIST_DAYS),
        writable=is_writable(),
    )


@blueprint.get("/app/bookings/<public_id>")
@staff_only
def booking(public_id: str) -> str:
    """One booking: its facts, its price, and what can be done with it."""
    with studio_db() as db:
        settings, found = settings_queries.load(db), queries.booking(db, public_id)
        return _booking_page(db, found, settings)


@blueprint.post("/app/bookings/<public_id>/move")
@staff_only
def move(public_id: str) -> Response | tuple[Response, int] | tuple[str, int]:
    """Move a booking: by dragging (answers JSON) or by the form."""
    if request.accept_mimetypes.best == "application/json":
        return _drag(public_id)
    form = MoveForm()
    with studio_db() as db:
        settings, found = settings_queries.load(db), queries.booking(db, public_id)
        form.offer(queries.rooms(db))
    refused: Refused | None = None
    if form.validate():
        try:
            with studio_db() as db:
                version = _version(form.version.data)
                moved = service.move_booking(db, public_id, room=form.room.data, span=form.span(settings.zone), now=now(), version=version)
        except BadInput as error:
            form.add_error(error)
        except Refused as error:
            refused = error
        else:
            return done(_moved_text(moved, settings), url_for("scheduling.booking", public_id=public_id))
    with studio_db() as db:
        return _booking_page(db, found, settings, move_form=form, refused=refused), 422


@blueprint.post("/app/bookings/<public_id>/details")
@staff_only
def details(public_id: str) -> Response | tuple[str, int]:
    """Change a booking's words, or confirm a held one."""
    form, refused = DetailsForm(), None
    if form.validate():
        try:
            with studio_db() as db:
                changed = service.change_booking(
                    db,
                    public_id,
                    version=_version(form.version.data),
                    title=form.title.data or "",
                    notes=form.notes.data or "",
                    state=State(form.state.data),
                )
        except Refused as error:
            refused = error
        else:
            return done(_("%(title)s is saved.", title=changed.title), url_for("scheduling.booking", public_id=public_id))
    with studio_db() as db:
        settings, found = settings_queries.load(db), queries.booking(db, public_id)
        return _booking_page(db, found, settings, details_form=form, refused=refused), 422


@blueprint.post("/app/bookings/<public_id>/cancellation")
@staff_only
def cancel(public_id: str) -> Response:
    """Cancel a booking; its room is free at once."""
    with studio_db() as db:
        cancelled = service.cancel_booking(db, public_id, now=now(), by=actor().user_id)
    message = _("%(title)s is cancelled; %(room)s is free again.", title=cancelled.title, room=cancelled.room.name)
    return done(message, url_for("scheduling.booking", public_id=public_id))


def _booking_page(
    db: Session,
    found: BookingView,
    settings: Settings,
    *,
    move_form: MoveForm | None = None,
    details_form: DetailsForm | None = None,
    refused: Refused | None = None,
) -> str:
    if move_form is None:
        move_form = MoveForm(formdata=None, room=found.room.public_id, version=found.version)
        move_form.offer(queries.rooms(db))
        move_form.place(found.span, settings.zone)
    if details_form is None:
        details_form = DetailsForm(formdata=None, title=found.title, notes=found.notes, state=found.state.value, version=found.version)
    template = "scheduling/booking_detail.html" if is_fragment() else "scheduling/booking.html"
    return render_template(
        template,
        booking=found,
        settings=settings,
        move_form=move_form,
        details_form=details_form,
        refused=refused,
        is_moving=move_form.is_submitted() and "room" in request.form,
        when=when(found, settings),
        writable=is_writable(),
        now=now(),
    )


def _drag(public_id: str) -> Response | tuple[Response, int]:
    start, end = wall_argument("start"), wall_argument("end")
    if start is None or end is None or end <= start:
        return jsonify(message=_("That is no time a booking could have.")), 422
    try:
        with studio_db() as db:
            settings = settings_queries.load(db)
            form = PlaceForm(formdata=None)
            form.date.data, form.start.data, form.end.data = start.date(), start.time(), end.time()
            moved = service.move_booking(db, public_id, room=request.form.get("room", ""), span=form.span(settings.zone), now=now())
    except NotFound:
        return jsonify(message=_("This booking or room is gone. Reload the page.")), 404
    except Refused as error:
        return jsonify(message=str(error)), 409
    detail = f"{duration(moved.span.minutes)} · {money(moved.price_minor, moved.currency)}"
    return jsonify(message=_moved_text(moved, settings), detail=detail)


def _moved_text(moved: BookingView, settings: Settings) -> str:
    price = money(moved.price_minor, moved.currency)
    return str(_("Moved to %(room)s, %(when)s. It costs %(price)s.", room=moved.room.name, when=when(moved, settings), price=price))


def _version(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
