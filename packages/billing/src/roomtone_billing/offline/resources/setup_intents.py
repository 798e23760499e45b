"""Setup intents: saving a payment method for later, with the bank's consent where it wants to be asked."""

from __future__ import annotations

from typing import Any

from ..cards import Decline
from ..objects import Object, merged_metadata
from ..shapes import blank
from ..world import World
from . import events

KIND = "setup_intent"


def create(world: World, params: Object, *, payment_method: str | None) -> Object:
    """Add an intent that waits for a payment method or for its confirmation."""
    intent_id = world.new_id("seti")
    intent = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": intent_id,
            "client_secret": f"{intent_id}_{world.new_id('secret')}",
            "created": world.now,
            "customer": params.get("customer"),
            "description": params.get("description"),
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "payment_method": payment_method,
            "payment_method_options": {},
            "payment_method_types": params.get("payment_method_types", ["card"]),
            "status": "requires_confirmation" if payment_method else "requires_payment_method",
            "usage": params.get("usage", "off_session"),
        },
    )
    events.emit(world, "setup_intent.created", intent)
    return intent


def change(world: World, intent_id: str, **values: Any) -> Object:
    """Replace fields; setup intents have no updated event."""
    return world.store.change(KIND, intent_id, **values)


def succeed(world: World, intent_id: str) -> Object:
    """The method is saved."""
    intent = change(world, intent_id, status="succeeded", next_action=None, last_setup_error=None)
    events.emit(world, "setup_intent.succeeded", intent)
    return intent


def fail(world: World, intent_id: str, decline: Decline, method: Object) -> Object:
    """The bank said no; the intent waits for another method."""
    error = {"type": "card_error", "code": decline.code, "message": decline.message, "payment_method": method}
    if decline.decline_code:
        error["decline_code"] = decline.decline_code
    intent = change(world, intent_id, status="requires_payment_method", payment_method=None, last_setup_error=error, next_action=None)
    events.emit(world, "setup_intent.setup_failed", intent)
    return intent


def require_action(world: World, intent_id: str, *, url: str) -> Object:
    """The bank wants 3-D Secure; the cardholder passes it at `url`."""
    action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": None, "url": url}}
    intent = change(world, intent_id, status="requires_action", next_action=action)
    events.emit(world, "setup_intent.requires_action", intent)
    return intent


def cancel(world: World, intent_id: str, *, reason: str | None) -> Object:
    """Nothing will be saved."""
    intent = change(world, intent_id, status="canceled", cancellation_reason=reason, next_action=None)
    events.emit(world, "setup_intent.canceled", intent)
    return intent
