"""Making a booking: the form in the drawer or as a page, the check while it is filled in, and the next free slot."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from studio.contexts.crm import queries as crm_queries
from studio.contexts.scheduling import obstacle, queries, service
from studio.contexts.scheduling.errors import BookingRefused, span_text
from studio.contexts.scheduling.forms import BookingForm, PlaceForm
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.shapes import BookingView, Plan
from studio.contexts.scheduling.values import Source, Span, State, is_bookable
from studio.contexts.scheduling.views.calendar import wall
from studio.contexts.scheduling.views.pages import blueprint, done, is_fragment, now, wall_argument, when
from studio.contexts.settings import queries as settings_queries
from studio.contexts.settings.queries import Settings
from studio.db import new_public_id
from studio.errors import BadInput, NotFound, Refused
from studio.web.access import staff_only
from studio.web.page import money
from studio.web.request import actor, studio_db

DEFAULT_MINUTES = 120


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
            message = _("%(title)s is booked: %(room)s, %(when)s.", title=made.title, room=made.room.name, when=when(made, settings))
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
    start = wall_argument("start") or (now().astimezone(zone) + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    end = wall_argument("end")
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


def _own_id(db: Session) -> int | None:
    """The booking that a check is for, when it has a place already."""
    public_id = request.args.get("booking")
    return queries.booking(db, public_id).id if public_id else None
