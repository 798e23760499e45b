"""Pages of clients."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from studio.contexts.crm import queries, service
from studio.contexts.crm.forms import ClientForm
from studio.errors import BadInput, Refused
from studio.web.access import staff_only
from studio.web.request import studio_db

blueprint = Blueprint("crm", __name__, template_folder="templates", url_prefix="/app/clients")


@blueprint.get("")
@staff_only
def clients() -> str:
    """Everyone, or those that a search finds."""
    search = request.args.get("q", "")
    with studio_db() as db:
        found = queries.clients(db, search=search)
    page = "clients/rows.html" if "HX-Request" in request.headers else "clients/index.html"
    return render_template(page, clients=found, search=search, limit=queries.PAGE)


@blueprint.route("/new", methods=["GET", "POST"])
@staff_only
def new() -> Response | str:
    """A form for a new client."""
    form = ClientForm()
    if form.validate_on_submit():
        try:
            with studio_db() as db:
                made = service.add(db, **_values(form))
        except BadInput as error:
            form.add_error(error)
        else:
            flash(_("%(name)s is saved.", name=made.name), "success")
            return redirect(url_for("scheduling.client", public_id=made.public_id), 303)
    return render_template("clients/form.html", form=form, client=None)


@blueprint.route("/<public_id>/edit", methods=["GET", "POST"])
@staff_only
def edit(public_id: str) -> Response | str:
    """A client's details, for changing."""
    with studio_db() as db:
        found = queries.client(db, public_id)
    form = ClientForm(obj=found)
    if form.validate_on_submit():
        version = int(text) if (text := form.version.data or "").isdigit() else 0
        try:
            with studio_db() as db:
                service.change(db, public_id, version=version, **_values(form))
        except BadInput as error:
            form.add_error(error)
        except Refused as error:
            form.form_errors.append(str(error))
        else:
            flash(_("%(name)s is saved.", name=form.name.data), "success")
            return redirect(url_for("scheduling.client", public_id=public_id), 303)
    return render_template("clients/form.html", form=form, client=found)


def _values(form: ClientForm) -> dict[str, str]:
    return {name: str(form[name].data or "") for name in ("kind", "name", "email", "phone", "notes")}
