"""Previews: the invoice that a change or the next renewal would bring, worked out and not kept."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object
from ..periods import period_end
from ..resources import invoices, products, subscriptions
from ..world import World
from . import plan_change, proration, upcoming
from .wanted import new_item, wanted_items


def preview(world: World, subscription: Object, details: Object) -> Object:
    """Return the invoice that a change would bring (billed at once), else the next renewal's; nothing is kept."""
    if not details.get("items") and details.get("billing_cycle_anchor") != "now":
        return upcoming.upcoming(world, subscription)
    behavior = details.get("proration_behavior", "create_prorations")
    wanted = wanted_items(world, subscription, details.get("items", []))
    at = proration_moment(world, subscription, details)
    resets = details.get("billing_cycle_anchor") == "now"
    change = plan_change.work_out(world, subscription, wanted, behavior=behavior, at=at, resets_anchor=resets)
    if behavior == "always_invoice" or change.moves_anchor:
        invoice_id = f"upcoming_{world.new_id('in')}"
        return invoices.build(
            world, subscription, list(change.lines), reason="upcoming", period=(world.now, world.now), invoice_id=invoice_id
        )
    return upcoming.upcoming(world, plan_change.changed(subscription, change), list(change.lines))


def preview_new(world: World, customer: Object, items: list[Object], *, trial_end: int | str | None) -> Object:
    """Return the first invoice of a subscription that does not exist; nothing is kept."""
    asked = [new_item(world, each, place) for place, each in enumerate(items)]
    is_trial = isinstance(trial_end, int)
    billed = invoices.standalone(customer["id"], currency=asked[0].price["currency"])
    lines = []
    for each in asked:
        end = trial_end if isinstance(trial_end, int) else period_end(world.now, each.price["recurring"], after=world.now)
        if each.quantity is None:
            continue
        item = {"id": world.new_id("si", length=14), "price": each.price, "quantity": each.quantity, "subscription": None}
        dated = {**item, "current_period_start": world.now, "current_period_end": end}
        lines.append(proration.whole(dated, name=products.name_of(world, dated), is_trial=is_trial))
    invoice_id, period = f"upcoming_{world.new_id('in')}", (world.now, world.now)
    return invoices.build(world, billed, lines, reason="upcoming", period=period, invoice_id=invoice_id)


def proration_moment(world: World, subscription: Object, params: Object) -> int:
    """Return the moment to prorate from: `proration_date`, else now; raises InvalidRequest outside the current period."""
    if "proration_date" not in params:
        return world.now
    start, end = subscriptions.period(subscription)
    if not start <= params["proration_date"] <= end:
        raise InvalidRequest("The proration date must be within the current period.", param="proration_date")
    return int(params["proration_date"])
