"""A client with their bookings."""

from __future__ import annotations

from flask import render_template

from studio.contexts.crm import queries as crm_queries
from studio.contexts.scheduling import queries
from studio.contexts.scheduling.values import State
from studio.contexts.scheduling.views.pages import blueprint, is_writable, now
from studio.web.access import staff_only
from studio.web.request import studio_db


@blueprint.get("/app/clients/<public_id>")
@staff_only
def client(public_id: str) -> str:
    """Who they are, and what they booked."""
    with studio_db() as db:
        found = crm_queries.client(db, public_id)
        booked = queries.bookings_of(db, found.id)
    kept = [b for b in booked if b.state is not State.cancelled]
    spent: dict[str, int] = {}
    for one in kept:
        spent[one.currency] = spent.get(one.currency, 0) + one.price_minor
    return render_template(
        "scheduling/client.html",
        client=found,
        bookings=booked,
        minutes=sum(b.span.minutes for b in kept),
        spent=spent,
        now=now(),
        writable=is_writable(),
    )
