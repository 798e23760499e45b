"""Pending updates: a change that happens only once its invoice is paid, and is forgotten after 23 hours.

Source: https://docs.stripe.com/billing/subscriptions/pending-updates
"""

from __future__ import annotations

from .. import agenda
from ..objects import Object
from ..resources import events, invoices, subscriptions
from ..world import World
from . import collection, cycle, drafting, plan_change

KIND = collection.PENDING_UPDATE
EXPIRE = "expire_pending_update"
KEPT_S = 23 * 3600


def attempt(world: World, subscription: Object, change: plan_change.Change, *, behavior: plan_change.Proration) -> None:
    """Make a change if its invoice can be paid now; else keep the subscription as it is and the change pending."""
    subscription_id = subscription["id"]
    if not plan_change.bills_now(change, behavior):
        plan_change.apply(world, subscription, change, behavior=behavior)
        return
    fields, lines = plan_change.fields_after(world, subscription, change)
    draft = drafting.open_draft(
        world, subscription, lines, reason="subscription_update", period=(world.now, world.now), takes_pending=False
    )
    world.store.add(KIND, {"id": draft["id"], "subscription": subscription_id, "fields": fields, "moves": change.moves_anchor})
    subscriptions.change(world, subscription_id, latest_invoice=draft["id"])
    if cycle.finalize(world, draft["id"])["status"] != "open":
        return
    at = world.now + KEPT_S
    unchanged = dict.fromkeys(("discounts", "metadata", "trial_end", "trial_from_plan"))
    shown = {"billing_cycle_anchor": fields.get("billing_cycle_anchor"), "expires_at": at, "subscription_items": fields["items"]["data"]}
    subscriptions.change(world, subscription_id, pending_update={**unchanged, **shown})
    agenda.plan(world, EXPIRE, draft["id"], at=at)
    collection.collect(world, draft["id"])


def follow(world: World, invoice_id: str) -> None:
    """A paid invoice lets the change happen that waited for it."""
    waiting = world.store.find(KIND, invoice_id)
    if waiting is None:
        return
    _forget(world, invoice_id)
    subscription_id = waiting["subscription"]
    subscription = subscriptions.change(world, subscription_id, **waiting["fields"], pending_update=None)
    if waiting["moves"]:
        cycle.replan(world, subscription_id)
    events.emit(world, "customer.subscription.pending_update_applied", subscription)


def expire(world: World, invoice_id: str) -> None:
    """Nobody paid in time: the invoice is void and the subscription stays as it was."""
    waiting = world.store.find(KIND, invoice_id)
    if waiting is None:
        return
    _forget(world, invoice_id)
    if world.store.get(invoices.KIND, invoice_id)["status"] == "open":
        invoices.void(world, invoice_id)
    subscription = subscriptions.change(world, waiting["subscription"], pending_update=None)
    events.emit(world, "customer.subscription.pending_update_expired", subscription)


def _forget(world: World, invoice_id: str) -> None:
    agenda.cancel(world, EXPIRE, invoice_id)
    world.store.remove(KIND, invoice_id)
