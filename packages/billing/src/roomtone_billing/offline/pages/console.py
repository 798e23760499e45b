"""The console: what the offline Stripe holds, and levers for time, declines and webhooks."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..objects import Object
from ..resources import accounts, charges, customers, deliveries, events, invoices, subscriptions
from ..resources.fees import FEE, TRANSFER
from ..world import World
from .host import host

pages = Blueprint("console", __name__, url_prefix="/offline")
SHOWN_MAX = 50
STEPS = (("1 hour", 3600), ("1 day", 86400), ("7 days", 7 * 86400), ("31 days", 31 * 86400), ("366 days", 366 * 86400))


@pages.get("")
def show() -> str:
    """Show the newest fifty of everything."""
    with host().transaction() as world:
        named = {value["id"]: value for _, value in _everywhere(world, customers.KIND)}
        return render_template(
            "console.html",
            now=world.now,
            ahead=_ahead(round(world.clock.offset_s)),
            steps=STEPS,
            customers=[_customer(world, account, value) for account, value in _newest(world, customers.KIND)],
            subscriptions=_newest(world, subscriptions.KIND),
            invoices=_newest(world, invoices.KIND),
            accounts=[_account(world, each) for each in reversed(world.store.all(accounts.KIND))][:SHOWN_MAX],
            events=[
                {"event": value, "account": account, "deliveries": list(world.store.where(deliveries.KIND, event=value["id"]))}
                for account, value in _newest(world, events.KIND)
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
    host().decline(customer_id, declining=request.form.get("decline") == "yes", account=request.form.get("account") or None)
    return redirect(url_for("console.show", _anchor="customers"), 303)


@pages.post("/console/account/<account_id>")
def change_account(account_id: str) -> Response:
    """Take a connected account's right to charge, or let it leave the platform."""
    {"restrict": host().restrict, "deauthorize": host().deauthorize}[request.form["do"]](account_id)
    return redirect(url_for("console.show", _anchor="accounts"), 303)


@pages.post("/console/resend/<event_id>")
def resend(event_id: str) -> Response:
    """Queue an event once more for every endpoint that wants it."""
    with host().transaction() as world, world.store.seen_as(request.form.get("account") or None):
        event = world.store.get(events.KIND, event_id)
        endpoints = deliveries.interested(world, event["type"])
        for endpoint in endpoints:
            deliveries.queue(world, event, endpoint)
        world.store.change(events.KIND, event_id, pending_webhooks=event["pending_webhooks"] + len(endpoints))
    return redirect(url_for("console.show", _anchor="events"), 303)


def _ahead(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    return f"{days} days and {rest // 3600} hours ahead of the real clock" if seconds else "as the real clock"


def _newest(world: World, kind: str) -> list[tuple[str | None, Object]]:
    """Return the newest of a kind, the platform's and its accounts', each with its account."""
    return sorted(_everywhere(world, kind), key=lambda each: -each[1].get("created", 0))[:SHOWN_MAX]


def _everywhere(world: World, kind: str) -> list[tuple[str | None, Object]]:
    found: list[tuple[str | None, Object]] = []
    for account in (None, *(each["id"] for each in world.store.all(accounts.KIND))):
        with world.store.seen_as(account):
            found += [(account, each) for each in reversed(world.store.all(kind))]
    return found


def _customer(world: World, account: str | None, customer: Object) -> Object:
    with world.store.seen_as(account):
        return {"customer": customer, "account": account, "declining": customers.is_declining(world, customer["id"])}


def _account(world: World, account: Object) -> Object:
    with world.store.seen_as(account["id"]):
        charged = [each for each in world.store.all(charges.KIND) if each["paid"]]
    fees = list(world.store.where(FEE, account=account["id"]))
    passed_on = list(world.store.where(TRANSFER, destination=account["id"]))
    return {
        "account": account,
        "charges": len(charged),
        "fees": _sums(fees, back="amount_refunded"),
        "transfers": _sums(passed_on, back="amount_reversed"),
    }


def _sums(parts: list[Object], *, back: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for each in parts:
        sums[each["currency"]] = sums.get(each["currency"], 0) + each["amount"] - each[back]
    return sums
