"""Customers: who is billed."""

from __future__ import annotations

from typing import Any

from ..objects import Object, emptied, merged_metadata
from ..world import World
from . import events

KIND = "customer"
PLAIN = ("description", "email", "name", "phone", "preferred_locales", "tax_exempt")


def create(world: World, params: Object) -> Object:
    """Add a customer."""
    customer_id = world.new_id("cus", length=14)
    settings = params.get("invoice_settings", {})
    customer = world.store.add(
        KIND,
        {
            "id": customer_id,
            "object": "customer",
            "address": _address(params.get("address")),
            "balance": 0,
            "created": world.now,
            "currency": None,
            "customer_account": None,
            "default_source": None,
            "delinquent": False,
            "description": emptied(params.get("description")),
            "discount": None,
            "email": emptied(params.get("email")),
            "invoice_prefix": customer_id[4:12].upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": settings.get("default_payment_method"),
                "footer": None,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "name": emptied(params.get("name")),
            "next_invoice_sequence": 1,
            "phone": emptied(params.get("phone")),
            "preferred_locales": params.get("preferred_locales", []),
            "shipping": None,
            "tax_exempt": params.get("tax_exempt") or "none",
            "test_clock": params.get("test_clock"),
        },
    )
    events.emit(world, "customer.created", customer)
    return customer


def update(world: World, customer_id: str, params: Object) -> Object:
    """Change what the parameters name; emits customer.updated when something differs."""
    before = world.store.get(KIND, customer_id)
    changes: Object = {name: emptied(params[name]) for name in PLAIN if name in params}
    if "address" in params:
        changes["address"] = _address(params["address"])
    if "metadata" in params:
        changes["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    if "invoice_settings" in params and "default_payment_method" in params["invoice_settings"]:
        chosen = emptied(params["invoice_settings"]["default_payment_method"])
        changes["invoice_settings"] = {**before["invoice_settings"], "default_payment_method": chosen}
    return change(world, customer_id, **changes)


def _address(given: Object | str | None) -> Object | None:
    return {name: emptied(value) for name, value in given.items()} if isinstance(given, dict) else None


def change(world: World, customer_id: str, **values: Any) -> Object:
    """Replace fields and emit customer.updated when something differs."""
    before = world.store.get(KIND, customer_id)
    after = world.store.change(KIND, customer_id, **values)
    if after != before:
        events.emit(world, "customer.updated", after, before=before)
    return after


def delete(world: World, customer_id: str) -> Object:
    """Mark a customer deleted. The caller ends its subscriptions first."""
    events.emit(world, "customer.deleted", world.store.get(KIND, customer_id))
    return world.store.replace(KIND, {"id": customer_id, "object": "customer", "deleted": True})


def take_invoice_number(world: World, customer_id: str) -> str:
    """Return the customer's next invoice number and move the sequence on."""
    customer = world.store.get(KIND, customer_id)
    sequence = customer["next_invoice_sequence"]
    world.store.change(KIND, customer_id, next_invoice_sequence=sequence + 1)
    return f"{customer['invoice_prefix']}-{sequence:04}"


def is_declining(world: World, customer_id: str) -> bool:
    """Has somebody told the offline Stripe to decline this customer's cards?"""
    return world.store.find("declining", customer_id) is not None


def set_declining(world: World, customer_id: str, *, declining: bool) -> None:
    """Let every charge of this customer's cards be declined, or stop that."""
    world.store.get(KIND, customer_id)
    if declining:
        world.store.replace("declining", {"id": customer_id})
    else:
        world.store.remove("declining", customer_id)
