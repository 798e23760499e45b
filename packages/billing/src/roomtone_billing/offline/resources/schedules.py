"""Subscription schedules: the phases that a subscription goes through by itself."""

from __future__ import annotations

from typing import Any

from ..objects import Object, merged_metadata
from ..shapes import blank
from ..world import World
from . import events, subscriptions

KIND = "subscription_schedule"
RUNNING = ("not_started", "active")


def create(world: World, *, customer: str, phases: list[Object], end_behavior: str, metadata: Object | None, **values: Any) -> Object:
    """Add a schedule; `values` are fields that differ from the usual."""
    schedule = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("sub_sched"),
            "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
            "created": world.now,
            "customer": customer,
            "default_settings": _default_settings(),
            "end_behavior": end_behavior,
            "livemode": False,
            "metadata": merged_metadata({}, metadata),
            "phases": phases,
            "status": "not_started",
            "test_clock": world.test_clock,
            **values,
        },
    )
    events.emit(world, "subscription_schedule.created", schedule)
    return schedule


def change(world: World, schedule_id: str, **values: Any) -> Object:
    """Replace fields and emit subscription_schedule.updated when something differs."""
    before = world.store.get(KIND, schedule_id)
    after = world.store.change(KIND, schedule_id, **values)
    if after != before:
        events.emit(world, "subscription_schedule.updated", after, before=before)
    return after


def finish(world: World, schedule_id: str, status: str) -> Object:
    """End a schedule as released, canceled or completed, and say so."""
    moment = {"released": "released_at", "canceled": "canceled_at", "completed": "completed_at"}[status]
    before = world.store.get(KIND, schedule_id)
    facts: Object = {"status": status, moment: world.now, "current_phase": None}
    if status == "released":
        facts |= {"released_subscription": before["subscription"], "subscription": None}
    schedule = world.store.change(KIND, schedule_id, **facts)
    events.emit(world, f"subscription_schedule.{status}", schedule)
    return schedule


def build_phase(items: list[Object], *, currency: str, start: int, end: int, proration_behavior: str) -> Object:
    """Return a phase as Stripe shows it."""
    shown = [
        {
            "billing_thresholds": None,
            "discounts": [],
            "metadata": {},
            "price": each["price"],
            "tax_rates": [],
            **subscriptions.counted(each["quantity"]),
        }
        for each in items
    ]
    nothing = dict.fromkeys(
        (
            "application_fee_percent", "billing_cycle_anchor", "billing_thresholds", "collection_method", "default_payment_method",
            "description", "invoice_settings", "on_behalf_of", "transfer_data", "trial_end",
        )
    )  # fmt: skip
    return {
        **nothing,
        "add_invoice_items": [],
        "currency": currency,
        "default_tax_rates": [],
        "discounts": [],
        "end_date": end,
        "items": shown,
        "metadata": {},
        "proration_behavior": proration_behavior,
        "start_date": start,
    }


def _default_settings() -> Object:
    issuing = {"account_tax_ids": None, "custom_fields": None, "days_until_due": None, "description": None, "footer": None}
    nothing = ("application_fee_percent", "billing_thresholds", "default_payment_method", "description", "on_behalf_of", "transfer_data")
    return {
        **dict.fromkeys(nothing),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": "automatic",
        "collection_method": "charge_automatically",
        "invoice_settings": {**issuing, "issuer": {"type": "self"}},
    }
