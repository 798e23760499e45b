"""Subscriptions and their items, in flexible billing mode: periods are on the items, as they have been since 2025."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidRequest, missing
from ..objects import Object, listing
from ..world import World
from . import events

KIND = "subscription"
OWNER = "owner_of_item"
ENDED = ("canceled", "incomplete_expired")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One item that a subscription shall have; `item_id` is None for a new one, `quantity` None where a meter counts."""

    price: Object
    quantity: int | None = 1
    item_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tax_rates: tuple[Object, ...] = ()


def create(
    world: World,
    subscription_id: str,
    *,
    customer: str,
    wanted: list[Wanted],
    ends: list[int],
    status: str,
    trial_end: int | None,
    **values: Any,
) -> Object:
    """Add a subscription and emit customer.subscription.created; `values` are fields that differ from the usual.

    Args:
        ends: when each item's first period ends, unix seconds.
    """
    items = [build_item(world, subscription_id, each, period=(world.now, end_at)) for each, end_at in zip(wanted, ends, strict=True)]
    subscription = world.store.add(
        KIND,
        {
            **_blank(world),
            "id": subscription_id,
            "object": "subscription",
            "billing_cycle_anchor": trial_end or world.now,
            "currency": wanted[0].price["currency"],
            "customer": customer,
            "items": listing(items, url=f"/v1/subscription_items?subscription={subscription_id}"),
            "status": status,
            "trial_end": trial_end,
            "trial_start": world.now if trial_end else None,
            **values,
        },
    )
    events.emit(world, "customer.subscription.created", subscription)
    return subscription


def build_item(world: World, subscription_id: str, wanted: Wanted, *, period: tuple[int, int]) -> Object:
    """Return a new item and note whose it is."""
    item_id = world.new_id("si", length=14)
    world.store.add(OWNER, {"id": item_id, "subscription": subscription_id})
    return {
        "id": item_id,
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": world.now,
        "current_period_end": period[1],
        "current_period_start": period[0],
        "current_trial": None,
        "discounts": [],
        "metadata": wanted.metadata,
        "price": wanted.price,
        **counted(wanted.quantity),
        "subscription": subscription_id,
        "tax_rates": list(wanted.tax_rates),
    }


def counted(quantity: int | None) -> Object:
    """Return an item's `quantity`; the item of a metered price has no such field."""
    return {} if quantity is None else {"quantity": quantity}


def change(world: World, subscription_id: str, **values: Any) -> Object:
    """Replace fields and emit customer.subscription.updated when something differs."""
    before = world.store.get(KIND, subscription_id)
    after = world.store.change(KIND, subscription_id, **values)
    if after != before:
        events.emit(world, "customer.subscription.updated", after, before=before)
    return after


def cancel_later(world: World, subscription_id: str, *, at: int, is_flagged: bool, details: Object | None = None) -> Object:
    """Let the subscription end at a moment; it goes on until then.

    Args:
        is_flagged: asked for by `cancel_at_period_end`; the portal of a flexible subscription sets `cancel_at` alone.
    """
    before = world.store.get(KIND, subscription_id)
    return change(
        world,
        subscription_id,
        cancel_at=at,
        cancel_at_period_end=is_flagged,
        canceled_at=before["canceled_at"] or world.now,
        cancellation_details={**before["cancellation_details"], **(details or {}), "reason": "cancellation_requested"},
    )


def undo_cancellation(world: World, subscription_id: str) -> Object:
    """Let the subscription go on after all."""
    none = {"comment": None, "feedback": None, "reason": None}
    return change(world, subscription_id, cancel_at=None, cancel_at_period_end=False, canceled_at=None, cancellation_details=none)


def end(world: World, subscription_id: str, *, reason: str, details: Object | None = None) -> Object:
    """Cancel for good and emit customer.subscription.deleted."""
    before = world.store.get(KIND, subscription_id)
    subscription = world.store.change(
        KIND,
        subscription_id,
        status="canceled",
        cancel_at_period_end=False,
        cancel_at=None,
        canceled_at=before["canceled_at"] or world.now,
        cancellation_details={**before["cancellation_details"], **(details or {}), "reason": reason},
        ended_at=world.now,
    )
    events.emit(world, "customer.subscription.deleted", subscription)
    return subscription


def items(subscription: Object) -> list[Object]:
    """Return a subscription's items."""
    return list(subscription["items"]["data"])


def with_items(subscription: Object, data: list[Object]) -> Object:
    """Return the list object that puts these items in place."""
    return {**subscription["items"], "data": data}


def item(world: World, item_id: str, *, param: str = "item") -> tuple[Object, Object]:
    """Return a subscription and one of its items; raises Stripe's `resource_missing`."""
    owner = world.store.find(OWNER, item_id)
    if owner is not None:
        subscription = world.store.get(KIND, owner["subscription"])
        for each in items(subscription):
            if each["id"] == item_id:
                return subscription, each
    raise missing("subscription_item", item_id, param=param)


def period(subscription: Object) -> tuple[int, int]:
    """Return the period that ends first; items of the same interval share it."""
    first = min(items(subscription), key=lambda each: int(each["current_period_end"]))
    return first["current_period_start"], first["current_period_end"]


def of_customer(world: World, customer_id: str, *, with_ended: bool = False) -> list[Object]:
    """Return a customer's subscriptions, first created first."""
    return [each for each in world.store.where(KIND, customer=customer_id) if with_ended or each["status"] not in ENDED]


def refuse_ended(subscription: Object) -> None:
    """Raise what Stripe answers to a change of an ended subscription."""
    if subscription["status"] in ENDED:
        raise InvalidRequest("A canceled subscription can only update its cancellation_details and metadata.")


def _blank(world: World) -> Object:
    return {
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": world.now,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "description": None,
        "default_tax_rates": [],
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "latest_invoice": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {"payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off"},
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": world.now,
        "status_details": None,
        "test_clock": world.test_clock,
        "transfer_data": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    }
