"""The assistant's page and panel."""

from __future__ import annotations

from flask import Blueprint, render_template

from studio.web.access import staff_only

blueprint = Blueprint("assistant", __name__, template_folder="templates", url_prefix="/app/assistant")


@blueprint.get("")
@staff_only
def page() -> str:
    """The whole page."""
    return render_template("assistant/page.html")
