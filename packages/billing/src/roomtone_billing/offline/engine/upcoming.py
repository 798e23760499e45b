"""The next renewal's invoice, before it exists: announced a week ahead, and worked out for previews."""

from __future__ import annotations

from ..objects import Object
from ..resources import events, invoice_items, invoices, subscriptions
from ..resources.invoice_lines import Line
from ..world import World
from . import cycle, usage, waiting


def announce_renewal(world: World, subscription_id: str) -> None:
    """Emit invoice.upcoming, a week before; that invoice has no id, because it does not exist yet."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if (
        subscription["status"] not in ("active", "past_due", "trialing")
        or subscription["cancel_at_period_end"]
        or subscription["cancel_at"]
    ):
        return
    preview = upcoming(world, subscription)
    preview.pop("id")
    events.emit(world, "invoice.upcoming", preview)


def upcoming(world: World, subscription: Object, extra: list[Line] | None = None) -> Object:
    """Return the next renewal's invoice without keeping it."""
    _, boundary = subscriptions.period(subscription)
    items = cycle.rolled(subscription, boundary)
    single = invoice_items.pending(world, subscription["customer"], subscription=subscription["id"], currency=subscription["currency"])
    ended = [each for each in subscriptions.items(subscription) if each["current_period_end"] <= boundary]
    used = [] if subscription["status"] == "trialing" else usage.lines(world, subscription["customer"], ended, until=boundary)
    whole = cycle.whole_lines(world, cycle.begun(items, boundary))
    lines = [*(extra or []), *waiting.lines_of(world, subscription["id"]), *used, *whole]
    lines += [invoice_items.line(world, each) for each in single]
    shown = invoices.build(
        world,
        subscription,
        lines,
        reason="upcoming",
        period=subscriptions.period(subscription),
        invoice_id=f"upcoming_{world.new_id('in')}",
    )
    return {**shown, "next_payment_attempt": boundary + world.settings.draft_s}
