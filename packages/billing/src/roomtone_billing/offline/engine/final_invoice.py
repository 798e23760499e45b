"""The last invoice of a subscription that is cancelled with `invoice_now`: what still waits, and maybe a credit for the rest."""

from __future__ import annotations

from ..objects import Object
from ..resources import invoice_items, invoices, prices, products, subscriptions
from ..resources.invoice_lines import Line
from ..world import World
from . import cycle, debited, drafting, proration, usage, waiting


def bill(world: World, subscription: Object, *, prorates: bool) -> Object | None:
    """Bill what meters counted and what waits for the next invoice, with a credit for unused time if asked for; None for nothing."""
    lines = waiting.lines_of(world, subscription["id"])
    items = subscriptions.items(subscription)
    if subscription["status"] not in ("trialing", "incomplete", "paused"):
        lines += [each for each in usage.lines(world, subscription["customer"], items, until=world.now) if each.used != "0"]
        lines += [_credit(world, item) for item in items if prorates and not prices.is_metered(item["price"])]
    customer, currency = subscription["customer"], subscription["currency"]
    if not lines and not invoice_items.pending(world, customer, subscription=subscription["id"], currency=currency):
        return None
    waiting.taken(world, subscription["id"])
    draft = drafting.open_draft(world, subscription, lines, reason="subscription_update", period=(world.now, world.now))
    subscriptions.change(world, subscription["id"], latest_invoice=draft["id"])
    paused = subscription["pause_collection"]
    if not (paused and paused["behavior"] == "keep_as_draft"):
        cycle.finalize_and_collect(world, draft["id"])
    return world.store.get(invoices.KIND, draft["id"])


def _credit(world: World, item: Object) -> Line:
    return proration.credit(item, name=products.name_of(world, item), at=world.now, debited=debited.amount(world, item))
