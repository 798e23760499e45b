"""The settings' front page and the stylesheet with the studio's colour."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from studio.contexts.settings import queries, service
from studio.contexts.settings.forms import LookForm
from studio.errors import BadInput
from studio.web.access import staff_only
from studio.web.request import studio_db

blueprint = Blueprint("settings", __name__, template_folder="templates")


@blueprint.get("/theme.css")
def theme() -> Response:
    """The studio's colours, as variables that the built stylesheet reads."""
    with studio_db() as db:
        found = queries.load(db)
    css = f":root {{ --studio-accent: {found.accent}; --studio-accent-text: {found.accent_text}; }}\n"
    return Response(css, mimetype="text/css", headers={"Cache-Control": "private, max-age=60"})


@blueprint.route("/app/settings", methods=["GET", "POST"])
@staff_only
def index() -> BaseResponse | str:
    """Who the studio is, its colour, and the ways to rooms, hours and rates."""
    with studio_db() as db:
        found = queries.load(db)
        form = LookForm(accent=found.accent)
        if form.validate_on_submit():
            try:
                service.set_accent(db, str(form.accent.data))
            except BadInput as error:
                form.add_error(error)
            else:
                flash(_("The colour is saved."), "success")
                return redirect(url_for("settings.index"), 303)
    return render_template("settings/index.html", settings=found, form=form)
