"""Making, reading, moving and cancelling bookings, as pages and as parts of the calendar's drawer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from flask import jsonify, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from studio.contexts.crm import queries as crm_queries
from studio.contexts.scheduling import obstacle, queries, service
from studio.contexts.scheduling.errors import BookingRefused, span_text
from studio.contexts.scheduling.forms import BookingForm, DetailsForm, MoveForm, PlaceForm
from studio.contexts.scheduling.queries import BookingView, Plan
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.values import Source, Span, State, day_span, is_bookable
from studio.contexts.scheduling.views.calendar import asked_day, wall
from studio.contexts.scheduling.views.pages import blueprint, done, is_fragment, is_writable, now
from studio.contexts.settings import queries as settings_queries
from studio.contexts.settings.queries import Settings
from studio.db import new_public_id
from studio.errors import BadInput, NotFound, Refused
from studio.web.access import staff_only
from studio.web.page import duration, money
from studio.web.request import actor, studio_db

DEFAULT_MINUTES = 120
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


@blueprint.route("/app/bookings/new", methods=["GET", "POST"])
@staff_only
def new() -> Response | tuple[str, int] | str:
    """The booking form, in the drawer or as a page."""
    form = BookingForm()
    with studio_db() as db:
        settings = settings_queries.load(db)
        rooms = queries.rooms(db)
        form.offer(rooms)
        if request.method == "GET":
            _suggest(form, settings, {r.public_id for r in rooms})
    refused: Refused | None = None
    if _takes_next(form, settings):
        return _new_page(form, settings)
    if form.validate_on_submit():
        try:
            with studio_db() as db:
                made = _create(db, form, settings)
        except BadInput as error:
            form.add_error(error)
        except Refused as error:
            refused = error
        else:
            message = _("%(title)s is booked: %(room)s, %(when)s.", title=made.title, room=made.room.name, when=_when(made, settings))
            return done(message, url_for("scheduling.booking", public_id=made.public_id))
    if request.method == "GET":
        return _new_page(form, settings)
    return _new_page(form, settings, refused), 422


@blueprint.post("/app/bookings/check")
@staff_only
def check() -> str:
    """What the form's room and time would cost, or why they cannot be had: the sentence that a refusal would say."""
    form = PlaceForm()
    with studio_db() as db:
        settings = settings_queries.load(db)
        form.offer(queries.rooms(db))
        if not form.validate():
            return render_template("scheduling/check.html", refused=None, cost=None)
        moving = _own_id(db)
        try:
            span, plan = form.span(settings.zone), queries.plan(db, form.room.data)
        except Refused as error:
            return render_template("scheduling/check.html", refused=error, cost=None)
        refused = obstacle.find(db, plan, span, source=Source.staff, now=now(), moving=moving)
    cost = None if refused else service.quote(plan, span)
    return render_template("scheduling/check.html", refused=refused, cost=cost, minutes=span.minutes)


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


def _create(db: Session, form: BookingForm, settings: Settings) -> BookingView:
    name = (form.client.data or "").strip()
    return service.create_booking(
        db,
        room=form.room.data,
        span=form.span(settings.zone),
        source=Source.staff,
        now=now(),
        client=ClientInput(name=name, email=form.email.data or None) if name else None,
        title=form.title.data or "",
        notes=form.notes.data or "",
        state=State(form.state.data),
        key=f"staff:{form.token.data}",
        by=actor().user_id,
    )


def _suggest(form: BookingForm, settings: Settings, rooms: Collection[str]) -> None:
    """Fill a new form from the address, where it makes sense; else the next full hour."""
    zone = settings.zone
    start = _wall_argument("start") or (now().astimezone(zone) + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    end = _wall_argument("end")
    if end is None or end <= start:
        end = start + timedelta(minutes=DEFAULT_MINUTES)
    form.date.data, form.start.data, form.end.data = start.date(), start.time(), end.time()
    wanted = request.args.get("room")
    form.room.data = wanted if wanted in rooms else None
    form.client.data = request.args.get("client", "")
    form.token.data = new_public_id()


def _takes_next(form: BookingForm, settings: Settings) -> bool:
    """Whether the person pressed the button that takes the next free slot; then the form shows that slot."""
    try:
        start, end = (datetime.fromisoformat(part) for part in request.form.get("take", "").split("/"))
    except ValueError:
        return False
    if start.tzinfo is None or end.tzinfo is None or end <= start or not is_bookable(start.date()) or not is_bookable(end.date()):
        return False
    form.place(Span(starts_at=start, ends_at=end), settings.zone)
    return True


def _new_page(form: BookingForm, settings: Settings, refused: Refused | None = None) -> str:
    with studio_db() as db:
        plan = _plan(db, form)
        names = [c.name for c in crm_queries.clients(db)]
    template = "scheduling/booking_form.html" if is_fragment() else "scheduling/new.html"
    return render_template(template, form=form, refused=refused, offer=_offer(plan, refused), names=names, settings=settings)


def _plan(db: Session, form: BookingForm) -> Plan | None:
    try:
        return queries.plan(db, str(form.room.data))
    except NotFound:
        return None


def _offer(plan: Plan | None, refused: Refused | None) -> dict[str, Any] | None:  # Any: template variables
    """The next free slot as a button: what it sends and what it says."""
    if plan is None or not isinstance(refused, BookingRefused) or refused.next_free is None:
        return None
    slot = refused.next_free
    cost = service.quote(plan, slot)
    return {
        "value": f"{slot.starts_at.isoformat()}/{slot.ends_at.isoformat()}",
        "when": span_text(slot, plan.zone),
        "price": money(cost.amount_minor, cost.currency),
        "start": wall(slot.starts_at, plan.zone),
        "end": wall(slot.ends_at, plan.zone),
    }


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
        when=_when(found, settings),
        writable=is_writable(),
        now=now(),
    )


def _drag(public_id: str) -> Response | tuple[Response, int]:
    start, end = _wall_argument("start"), _wall_argument("end")
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
    return str(_("Moved to %(room)s, %(when)s. It costs %(price)s.", room=moved.room.name, when=_when(moved, settings), price=price))


def _when(found: BookingView, settings: Settings) -> str:
    return span_text(found.span, settings.zone)


def _own_id(db: Session) -> int | None:
    """The booking that a check is for, when it has a place already."""
    public_id = request.args.get("booking")
    return queries.booking(db, public_id).id if public_id else None


def _version(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _wall_argument(name: str) -> datetime | None:
    """A wall-clock time from the address or the form; None when it is missing or no time."""
    try:
        found = datetime.fromisoformat(request.values.get(name, "")).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        return None
    return found if is_bookable(found.date()) else None
