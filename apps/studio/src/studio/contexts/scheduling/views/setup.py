"""Settings of rooms, opening hours and rates."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from studio.contexts.scheduling import queries, rooms
from studio.contexts.scheduling.fields import options
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.setup_forms import ROOM_KINDS, WEEKDAYS, HoursForm, RatesForm, RoomForm, SpecialRateForm
from studio.contexts.scheduling.shapes import RoomView
from studio.contexts.scheduling.views.pages import blueprint, is_writable, now
from studio.contexts.settings import queries as settings_queries
from studio.errors import BadInput, Refused
from studio.web.access import staff_only
from studio.web.request import studio_db

ROOM_FIELDS = (
    "name",
    "kind",
    "capacity",
    "description",
    "slot_minutes",
    "min_minutes",
    "max_minutes",
    "min_notice_hours",
    "horizon_days",
    "is_public",
)


@blueprint.get("/app/settings/rooms")
@staff_only
def room_list() -> str:
    """All rooms."""
    with studio_db() as db:
        found = queries.rooms(db)
    return render_template("scheduling/rooms.html", rooms=found, kinds=dict(ROOM_KINDS), writable=is_writable())


@blueprint.route("/app/settings/rooms/new", methods=["GET", "POST"])
@staff_only
def room_new() -> Response | str:
    """A form for a new room."""
    return _room_page(RoomForm(), None)


@blueprint.route("/app/settings/rooms/<public_id>", methods=["GET", "POST"])
@staff_only
def room_edit(public_id: str) -> Response | str:
    """A room, for changing."""
    with studio_db() as db:
        found = queries.room(db, public_id)
    return _room_page(RoomForm(obj=found), found)


@blueprint.post("/app/settings/rooms/<public_id>/archive")
@staff_only
def room_archive(public_id: str) -> Response:
    """Take a room out of use."""
    try:
        with studio_db() as db:
            rooms.archive_room(db, public_id, now=now())
    except Refused as error:
        flash(str(error), "error")
        return redirect(url_for("scheduling.room_edit", public_id=public_id), 303)
    flash(_("The room is out of use."), "success")
    return redirect(url_for("scheduling.room_list"), 303)


@blueprint.route("/app/settings/hours", methods=["GET", "POST"])
@staff_only
def hours() -> Response | str:
    """Opening hours of the studio, or with `?room=` of one room."""
    form = HoursForm()
    with studio_db() as db:
        all_rooms, openings = queries.rooms(db), queries.openings(db)
        chosen = queries.room(db, request.args["room"]) if request.args.get("room") else None
        room_id = chosen.id if chosen else None
        own = [o for o in openings if o.room_id == room_id]
        if request.method == "GET":
            form.fill(own or [o for o in openings if o.room_id is None])
        elif form.validate():
            is_reset = chosen is not None and "reset" in request.form
            rooms.set_opening(db, [] if is_reset else form.openings(room_id), room_id=room_id)
            flash(_("The opening hours are saved."), "success")
            return redirect(url_for("scheduling.hours", room=chosen.public_id if chosen else None), 303)
    has_own = {o.room_id for o in openings}
    return render_template(
        "scheduling/hours.html", form=form, rooms=all_rooms, chosen=chosen, has_own=has_own, weekdays=WEEKDAYS, writable=is_writable()
    )


@blueprint.route("/app/settings/rates", methods=["GET", "POST"])
@staff_only
def rates() -> Response | str:
    """The price of an hour in each room, and special rates."""
    form = RatesForm()
    with studio_db() as db:
        settings, all_rooms, found = settings_queries.load(db), queries.rooms(db), queries.rates(db)
        form.use(settings.currency)
        if request.method == "GET":
            form.fill(all_rooms, {r.room_id: r.hourly_minor for r in found if r.room_id and r.priority == 0}, None)
            form.use(settings.currency)
        elif form.validate():
            save_rates(db, form, all_rooms)
            flash(_("The rates are saved."), "success")
            return redirect(url_for("scheduling.rates"), 303)
        special = special_form(all_rooms, settings.currency)
    return _rates_page(form, special, all_rooms)


@blueprint.post("/app/settings/rates/special")
@staff_only
def rate_add() -> Response | tuple[str, int]:
    """Add a special rate."""
    with studio_db() as db:
        settings, all_rooms, found = settings_queries.load(db), queries.rooms(db), queries.rates(db)
    special = special_form(all_rooms, settings.currency)
    if special.validate():
        from_minute, to_minute = special.minutes()
        room_id = next((r.id for r in all_rooms if r.public_id == special.room.data), None)
        try:
            with studio_db() as db:
                rooms.add_special_rate(
                    db,
                    name=special.name.data or "",
                    room_id=room_id,
                    price_minor=special.price.data,
                    weekdays=special.weekdays.data or [],
                    from_minute=from_minute,
                    to_minute=to_minute,
                )
        except BadInput as error:
            special.add_error(error)
        else:
            flash(_("The rate is added."), "success")
            return redirect(url_for("scheduling.rates"), 303)
    form = RatesForm(formdata=None)
    form.fill(all_rooms, {r.room_id: r.hourly_minor for r in found if r.room_id and r.priority == 0}, None)
    form.use(settings.currency)
    return _rates_page(form, special, all_rooms), 422


@blueprint.post("/app/settings/rates/special/<public_id>/removal")
@staff_only
def rate_remove(public_id: str) -> Response:
    """Remove a special rate."""
    with studio_db() as db:
        rooms.remove_special_rate(db, public_id)
    flash(_("The rate is removed. Bookings keep the price they had."), "success")
    return redirect(url_for("scheduling.rates"), 303)


def save_rates(db: Session, form: RatesForm, all_rooms: list[RoomView]) -> None:
    """Write the hourly prices of a filled-in form; rows of rooms that are gone are left out."""
    by_public_id = {r.public_id: r.id for r in all_rooms}
    given = {row.form.public_id.data or "": row.form.price.data for row in form.rates}
    rooms.set_hourly(db, {by_public_id[public_id]: price for public_id, price in given.items() if public_id in by_public_id})


def special_form(all_rooms: list[RoomView], currency: str) -> SpecialRateForm:
    """An empty or submitted form for a special rate."""
    form = SpecialRateForm()
    form.price.use(currency)
    form.room.choices = options([("", _("Every room")), *((r.public_id, r.name) for r in all_rooms)])
    return form


def _rates_page(form: RatesForm, special: SpecialRateForm, all_rooms: list[RoomView]) -> str:
    with studio_db() as db:
        settings, found = settings_queries.load(db), queries.rates(db)
    return render_template(
        "scheduling/rates.html",
        form=form,
        special=special,
        rooms=all_rooms,
        names={r.id: r.name for r in all_rooms},
        specials=[r for r in found if r.priority > 0],
        weekdays=dict(WEEKDAYS),
        settings=settings,
        writable=is_writable(),
    )


def _room_page(form: RoomForm, found: RoomView | None) -> Response | str:
    if form.validate_on_submit():
        given = {name: form[name].data for name in ROOM_FIELDS}
        given["description"] = given["description"] or ""
        version = int(text) if (text := form.version.data or "").isdigit() else 0
        try:
            with studio_db() as db:
                rooms.save_room(db, RoomInput(public_id=found.public_id if found else None, version=version if found else None, **given))
        except BadInput as error:
            form.add_error(error)
        except Refused as error:
            form.form_errors.append(str(error))
        else:
            flash(_("%(room)s is saved.", room=form.name.data), "success")
            return redirect(url_for("scheduling.room_list"), 303)
    return render_template("scheduling/room.html", form=form, room=found, writable=is_writable())
