"""The Today board: what happens now and next in each room, and what is left to set up."""

from __future__ import annotations

from flask import render_template

from studio.contexts.scheduling import queries
from studio.contexts.scheduling.views.pages import blueprint, is_writable, now
from studio.contexts.settings import queries as settings_queries
from studio.contexts.settings.steps import Step
from studio.web.access import staff_only
from studio.web.request import studio_db


@blueprint.get("/app")
@staff_only
def today() -> str:
    """The page that people open in the morning."""
    instant = now()
    with studio_db() as db:
        settings = settings_queries.load(db)
        board = queries.today(db, instant)
    earned: dict[str, int] = {}
    for found in board.bookings:
        earned[found.currency] = earned.get(found.currency, 0) + found.price_minor
    return render_template(
        "scheduling/today.html",
        settings=settings,
        board=board,
        instant=instant,
        earned=earned,
        booked_minutes=sum(b.span.minutes for b in board.bookings),
        step_order=list(Step),
        writable=is_writable(),
    )
