"""The set-up wizard: three steps, each saved by its own button, each with defaults that work."""

from __future__ import annotations

from babel.numbers import get_currency_precision
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from studio.contexts.scheduling import queries, rooms
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.setup_forms import WEEKDAYS, HoursForm, RatesForm, RoomsForm
from studio.contexts.scheduling.shapes import RoomView
from studio.contexts.scheduling.values import Opening
from studio.contexts.scheduling.views.pages import blueprint, now
from studio.contexts.scheduling.views.setup import save_rates
from studio.contexts.settings import queries as settings_queries
from studio.contexts.settings import service as settings
from studio.contexts.settings.steps import Step
from studio.errors import BadInput, Refused
from studio.web.access import staff_only
from studio.web.request import studio_db

DEFAULT_HOURS = tuple(
    Opening(room_id=None, weekday=day, opens_minute=600, closes_minute=1320) for day in range(6)
)  # Monday to Saturday, 10–22
DEFAULT_HOURLY = 50  # of the currency's main unit
TITLES = {Step.rooms: _l("Rooms"), Step.hours: _l("Opening hours"), Step.rates: _l("Rates")}


@blueprint.get("/onboarding")
@staff_only
def onboarding() -> Response:
    """To the first step that was not saved; to the calendar when all were."""
    with studio_db() as db:
        step = settings_queries.load(db).next_step
    return _to(step)


@blueprint.route("/onboarding/rooms", methods=["GET", "POST"])
@staff_only
def rooms_step() -> Response | tuple[str, int] | str:
    """Which rooms there are."""
    form = RoomsForm()
    with studio_db() as db:
        existing = queries.rooms(db)
    if request.method == "GET":
        _show(form, existing)
        return _page(Step.rooms, form=form)
    if _changed_rows(form):
        return _page(Step.rooms, form=form)
    if form.validate():
        try:
            with studio_db() as db:
                _save_rooms(db, form, existing)
                return _saved(db, Step.rooms)
        except Refused as error:
            form.form_errors.append(str(error))
    return _page(Step.rooms, form=form), 422


@blueprint.route("/onboarding/hours", methods=["GET", "POST"])
@staff_only
def hours_step() -> Response | tuple[str, int] | str:
    """When the studio is open."""
    form = HoursForm()
    with studio_db() as db:
        if request.method == "GET":
            form.fill([o for o in queries.openings(db) if o.room_id is None] or DEFAULT_HOURS)
            return _page(Step.hours, form=form, weekdays=WEEKDAYS)
        if form.validate():
            if chosen := form.openings():
                rooms.set_opening(db, chosen)
                return _saved(db, Step.hours)
            form.form_errors.append(_("Open on one day at the least; otherwise nobody can book."))
    return _page(Step.hours, form=form, weekdays=WEEKDAYS), 422


@blueprint.route("/onboarding/rates", methods=["GET", "POST"])
@staff_only
def rates_step() -> Response | tuple[str, int] | str:
    """What an hour costs in each room."""
    form = RatesForm()
    with studio_db() as db:
        found, all_rooms, known = settings_queries.load(db), queries.rooms(db), queries.rates(db)
        if not all_rooms:
            return _to(Step.rooms)
        if request.method == "GET":
            default = int(DEFAULT_HOURLY * 10 ** get_currency_precision(found.currency))
            form.fill(all_rooms, {r.room_id: r.hourly_minor for r in known if r.room_id and r.priority == 0}, default)
        form.use(found.currency)
        if request.method == "POST" and form.validate():
            save_rates(db, form, all_rooms)
            return _saved(db, Step.rates)
    page = _page(Step.rates, form=form, names={r.public_id: r.name for r in all_rooms}, currency=found.currency)
    return page if request.method == "GET" else (page, 422)


def _show(form: RoomsForm, existing: list[RoomView]) -> None:
    """One row for each room there is; a first one to start from when there is none."""
    while len(form.rooms):
        form.rooms.pop_entry()
    for found in existing:
        form.rooms.append_entry({"public_id": found.public_id, "name": found.name, "kind": found.kind, "capacity": found.capacity})
    if not existing:
        form.rooms.append_entry({"name": _("Studio A"), "kind": "live", "capacity": 6})


def _changed_rows(form: RoomsForm) -> bool:
    """Add or remove a row when one of those buttons was pressed; nothing is saved by that."""
    if "add" in request.form:
        form.rooms.append_entry(
            {"name": _("Studio %(letter)s", letter=chr(ord("A") + min(len(form.rooms), 25))), "kind": "mix", "capacity": 3}
        )
        return True
    wanted = request.form.get("remove", "")
    if not wanted.isdigit():
        return False
    kept = [row.data for number, row in enumerate(form.rooms) if number != int(wanted)]
    while len(form.rooms):
        form.rooms.pop_entry()
    for row in kept or [{}]:
        form.rooms.append_entry(row)
    return True


def _save_rooms(db: Session, form: RoomsForm, existing: list[RoomView]) -> None:
    """Write the rows; rooms without a row are taken out of use.

    Raises:
        BadInput: two rooms have one name.
        Refused: a room to be removed has bookings ahead.
    """
    by_public_id = {r.public_id: r for r in existing}
    rows = [row.form for row in form.rooms]
    names = [" ".join((row.name.data or "").split()).casefold() for row in rows]
    if len(set(names)) < len(names):
        raise BadInput("rooms", _("Two rooms have the same name. Give each its own."))
    kept = {row.public_id.data for row in rows}
    for public_id in by_public_id.keys() - kept:
        rooms.archive_room(db, public_id, now=now())
    for row in rows:
        old = by_public_id.get(row.public_id.data or "")
        given = {"name": row.name.data, "kind": row.kind.data, "capacity": row.capacity.data}
        rooms.save_room(db, _input(old, given))


def _input(old: RoomView | None, given: dict[str, str | int]) -> RoomInput:
    """The room's input: what was given, and the rest as it was."""
    rest = {name: getattr(old, name) for name in RoomInput.__dataclass_fields__ if hasattr(old, name)} if old else {}
    return RoomInput(**{"public_id": None, "version": None, **rest, **given})


def _saved(db: Session, step: Step) -> Response:
    """Remember the step, then go on."""
    settings.save_step(db, step)
    following = settings_queries.load(db).next_step
    if following is None:
        flash(_("Your studio is ready. Drag on the calendar to make your first booking."), "success")
    return _to(following)


def _to(step: Step | None) -> Response:
    return redirect(url_for("scheduling.calendar") if step is None else url_for(f"scheduling.{step.value}_step"), 303)


def _page(step: Step, **variables: object) -> str:
    with studio_db() as db:
        saved = settings_queries.load(db).saved_steps
    progress = [(TITLES[s], "current" if s is step else "done" if s in saved else "waiting") for s in Step]
    return render_template(f"onboarding/{step.value}.html", step=step, progress=progress, **variables)
