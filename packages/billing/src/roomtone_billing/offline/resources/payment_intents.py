"""Payment intents: the plan to take an amount, through as many attempts as it needs."""

from __future__ import annotations

from typing import Any

from ..cards import Decline
from ..objects import Object
from ..world import World
from . import events

KIND = "payment_intent"


def create(world: World, *, amount: int, currency: str, customer: str | None, description: str | None, **values: Any) -> Object:
    """Add an intent that waits for a payment method; `values` are fields that differ from the usual."""
    intent_id = world.new_id("pi")
    intent = world.store.add(
        KIND,
        {
            "id": intent_id,
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic",
            "client_secret": f"{intent_id}_{world.new_id('secret')}",
            "confirmation_method": "automatic",
            "created": world.now,
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "description": description,
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": None,
            "review": None,
            "setup_future_usage": "off_session",
            "shipping": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
            **values,
        },
    )
    events.emit(world, "payment_intent.created", intent)
    return intent


def succeed(world: World, intent_id: str, charge: Object) -> Object:
    """The money was taken."""
    intent = world.store.change(
        KIND,
        intent_id,
        status="succeeded",
        amount_received=charge["amount_captured"],
        amount_capturable=0,
        latest_charge=charge["id"],
        payment_method=charge["payment_method"],
        last_payment_error=None,
        next_action=None,
    )
    events.emit(world, "payment_intent.succeeded", intent)
    return intent


def reserve(world: World, intent_id: str, charge: Object) -> Object:
    """The money is reserved and waits to be captured."""
    intent = change(
        world,
        intent_id,
        status="requires_capture",
        amount_capturable=charge["amount"],
        latest_charge=charge["id"],
        payment_method=charge["payment_method"],
        last_payment_error=None,
        next_action=None,
    )
    events.emit(world, "payment_intent.amount_capturable_updated", intent)
    return intent


def process(world: World, intent_id: str, charge: Object) -> Object:
    """The bank has been asked; the answer comes in some days."""
    facts = {"latest_charge": charge["id"], "payment_method": charge["payment_method"], "last_payment_error": None, "next_action": None}
    intent = change(world, intent_id, status="processing", **facts)
    events.emit(world, "payment_intent.processing", intent)
    return intent


def change(world: World, intent_id: str, **values: Any) -> Object:
    """Replace fields; payment intents have no updated event."""
    return world.store.change(KIND, intent_id, **values)


def fail(world: World, intent_id: str, *, charge: Object | None, decline: Decline, method: Object) -> Object:
    """An attempt failed; the intent waits for another payment method."""
    error: Object = {
        "type": "card_error",
        "code": decline.code,
        "message": decline.message,
        "payment_method": method,
        **({"decline_code": decline.decline_code} if decline.decline_code else {}),
        **({"charge": charge["id"]} if charge else {}),
    }
    intent = world.store.change(
        KIND,
        intent_id,
        status="requires_payment_method",
        last_payment_error=error,
        latest_charge=charge["id"] if charge else None,
        payment_method=None,
        next_action=None,
    )
    events.emit(world, "payment_intent.payment_failed", intent)
    return intent


def require_action(world: World, intent_id: str, *, method: Object, url: str) -> Object:
    """The bank wants 3-D Secure; the cardholder passes it at `url`."""
    action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": None, "url": url}}
    intent = world.store.change(KIND, intent_id, status="requires_action", next_action=action, payment_method=method["id"])
    events.emit(world, "payment_intent.requires_action", intent)
    return intent


def cancel(world: World, intent_id: str, *, reason: str | None = "void_invoice") -> Object:
    """Nothing more will be taken."""
    intent = change(
        world, intent_id, status="canceled", canceled_at=world.now, cancellation_reason=reason, amount_capturable=0, next_action=None
    )
    events.emit(world, "payment_intent.canceled", intent)
    return intent
