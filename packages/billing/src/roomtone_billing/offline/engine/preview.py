"""Previews: the invoice that a change or the next renewal would bring, worked out and not kept."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object
from ..resources import invoices, subscriptions
from ..world import World
from . import cycle, plan_change
from .wanted import wanted_items


def preview(world: World, subscription: Object, details: Object) -> Object:
    """Return the invoice that a change would bring (billed at once), else the next renewal's; nothing is kept."""
    if not details.get("items") and details.get("billing_cycle_anchor") != "now":
        return cycle.upcoming(world, subscription)
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
    return cycle.upcoming(world, plan_change.changed(subscription, change), list(change.lines))


def proration_moment(world: World, subscription: Object, params: Object) -> int:
    """Return the moment to prorate from: `proration_date`, else now; raises InvalidRequest outside the current period."""
    if "proration_date" not in params:
        return world.now
    start, end = subscriptions.period(subscription)
    if not start <= params["proration_date"] <= end:
        raise InvalidRequest("The proration date must be within the current period.", param="proration_date")
    return int(params["proration_date"])
