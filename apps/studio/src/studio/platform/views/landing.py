"""The platform's public pages."""

from __future__ import annotations

from flask import Blueprint, Response, render_template
from sqlalchemy import text

from studio.platform.views.signup import catalogue
from studio.web.request import control_db

pages = Blueprint("landing", __name__, template_folder="../templates")


@pages.get("/")
def landing() -> str:
    """What this is, and for whom."""
    return render_template("platform/landing.html", catalogue=catalogue())


@pages.get("/pricing")
def pricing() -> str:
    """The two plans."""
    return render_template("platform/pricing.html", catalogue=catalogue())


@pages.get("/healthz")
def healthz() -> Response:
    """Whether the process answers and reaches the control database."""
    with control_db() as db:
        db.execute(text("SELECT 1"))
    return Response("ok\n", mimetype="text/plain")
