"""The console: what the offline Stripe holds, and levers for time, declines and webhooks."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..objects import Object
from ..resources import customers, deliveries, events, invoices, subscriptions
from ..world import World
from .host import host

pages = Blueprint("console", __name__, url_prefix="/offline")
SHOWN_MAX = 50
STEPS = (("1 hour", 3600), ("1 day", 86400), ("7 days", 7 * 86400), ("31 days", 31 * 86400), ("366 days", 366 * 86400))


@pages.get("")
def show() -> str:
    """Show the newest fifty of everything."""
    with host().transaction() as world:
        named = {each["id"]: each for each in world.store.all(customers.KIND)}
        return render_template(
            "console.html",
            now=world.now,
            ahead=_ahead(round(world.clock.offset_s)),
            steps=STEPS,
            customers=[
                {"customer": each, "declining": customers.is_declining(world, each["id"])} for each in _newest(world, customers.KIND)
            ],
            subscriptions=_newest(world, subscriptions.KIND),
            invoices=_newest(world, invoices.KIND),
            events=[
                {"event": each, "deliveries": list(world.store.where(deliveries.KIND, event=each["id"]))}
                for each in _newest(world, events.KIND)
            ],
            waiting=sum(1 for _ in world.store.where(deliveries.KIND, state=deliveries.WAITING)),
            has_endpoint=bool(deliveries.interested(world, "*") or world.store.all("webhook_endpoint")),
            names={key: each.get("email") or each.get("name") or key for key, each in named.items()},
            business=world.settings.business,
        )


@pages.post("/console/advance")
def advance() -> Response:
    """Advance time by a step of the form."""
    text = request.form.get("seconds", "")
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    host().advance(seconds)
    return redirect(url_for("console.show"), 303)


@pages.post("/console/decline/<customer_id>")
def decline(customer_id: str) -> Response:
    """Decline a customer's cards from now on, or stop."""
    host().decline(customer_id, declining=request.form.get("decline") == "yes")
    return redirect(url_for("console.show", _anchor="customers"), 303)


@pages.post("/console/resend/<event_id>")
def resend(event_id: str) -> Response:
    """Queue an event once more for every endpoint that wants it."""
    with host().transaction() as world:
        event = world.store.get(events.KIND, event_id)
        endpoints = deliveries.interested(world, event["type"])
        for endpoint in endpoints:
            deliveries.queue(world, event, endpoint)
        world.store.change(events.KIND, event_id, pending_webhooks=event["pending_webhooks"] + len(endpoints))
    return redirect(url_for("console.show", _anchor="events"), 303)


def _ahead(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    return f"{days} days and {rest // 3600} hours ahead of the real clock" if seconds else "as the real clock"


def _newest(world: World, kind: str) -> list[Object]:
    return list(reversed(world.store.all(kind)))[:SHOWN_MAX]
