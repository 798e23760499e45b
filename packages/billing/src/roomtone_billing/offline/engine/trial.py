"""Moving the end of a trial: to now, which bills at once, or to another moment."""

from __future__ import annotations

from ..errors import InvalidRequest, NotSupported
from ..objects import Object
from ..resources import invoices, subscriptions
from ..world import World
from . import cycle

DAYS_MAX = 730


def end_after(world: World, days: int, *, param: str) -> int | None:
    """Return when a trial of some days ends, None for none; raises InvalidRequest outside 0 to 730 days."""
    if not 0 <= days <= DAYS_MAX:
        raise InvalidRequest(f"Trials last 0 to {DAYS_MAX} days.", code="parameter_invalid_integer", param=param)
    return world.now + days * 86400 if days else None


def move_end(world: World, subscription: Object, end_at: int | str) -> None:
    """End a trial now or move its end.

    Raises:
        NotSupported: the subscription is not in a trial (Stripe would begin one and prorate).
        InvalidRequest: the moment is in the past.
    """
    if subscription["status"] != "trialing":
        if end_at == "now":
            return
        raise NotSupported("a trial that begins in the middle of a subscription", param="trial_end")
    moment = world.now if end_at == "now" else int(end_at)
    if moment < world.now:
        raise InvalidRequest("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    items = [{**item, "current_period_end": moment} for item in subscriptions.items(subscription)]
    changed = subscriptions.change(
        world,
        subscription["id"],
        trial_end=moment,
        billing_cycle_anchor=moment,
        items=subscriptions.with_items(subscription, items),
        cancel_at=moment if subscription["cancel_at"] else None,
    )
    cycle.replan(world, subscription["id"])
    if moment == world.now:
        _end_now(world, changed["id"])


def _end_now(world: World, subscription_id: str) -> None:
    cycle.reach_period_end(world, subscription_id)
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if world.store.get(invoices.KIND, subscription["latest_invoice"])["status"] == "draft":
        cycle.finalize_and_collect(world, subscription["latest_invoice"])
