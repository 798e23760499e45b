"""Expansion: `expand[]=latest_invoice.payments` puts whole objects where ids stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import InvalidRequest
from .objects import Object, listing
from .resources import checkout_sessions, invoice_payments, payment_intents, subscriptions
from .world import World

DEPTH_MAX = 4
# Which kind of object a field's id names, wherever the field stands.
FIELDS = {
    "charge": "charge",
    "configuration": "billing_portal.configuration",
    "coupon": "coupon",
    "credit_note": "credit_note",
    "customer": "customer",
    "dispute": "dispute",
    "default_payment_method": "payment_method",
    "default_price": "price",
    "invoice": "invoice",
    "latest_charge": "charge",
    "latest_invoice": "invoice",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "price": "price",
    "product": "product",
    "promotion_code": "promotion_code",
    "refund": "refund",
    "schedule": "subscription_schedule",
    "setup_intent": "setup_intent",
    "test_clock": "test_helpers.test_clock",
    "subscription": "subscription",
}


def expand(world: World, answer: Object, paths: Sequence[str]) -> Object:
    """Return the answer with the named fields expanded.

    Raises:
        InvalidRequest: deeper than four levels, or a field that cannot be expanded.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) - (steps[0] == "data") > DEPTH_MAX:
            raise InvalidRequest(
                f"You cannot expand more than {DEPTH_MAX} levels of a property: {path}.",
                code="property_expansion_max_depth",
                param="expand",
            )
        answer = _expanded(world, answer, steps, path)
    return answer


def _expanded(world: World, value: Any, steps: list[str], path: str) -> Any:
    if not steps:
        return value
    if isinstance(value, list):
        return [_expanded(world, each, steps, path) for each in value]
    # Of what was deleted a stub is left, with none of the fields that can be expanded: https://docs.stripe.com/api/customers/retrieve
    if value is None or (isinstance(value, dict) and value.get("deleted") is True):
        return value
    name = steps[0]
    if not isinstance(value, dict) or (name not in value and (value.get("object"), name) not in HIDDEN):
        raise InvalidRequest(f"This property cannot be expanded ({path}).", code="property_expansion_error", param="expand")
    inner = HIDDEN[value["object"], name](world, value) if (value.get("object"), name) in HIDDEN else value[name]
    return {**value, name: _expanded(world, _whole(world, name, inner, path), steps[1:], path)}


def _whole(world: World, name: str, inner: Any, path: str) -> Any:
    if name == "discounts" and isinstance(inner, list):
        return [world.store.find("discount", each) or each for each in inner]
    if not isinstance(inner, str):
        return inner
    if name not in FIELDS:
        raise InvalidRequest(f"This property cannot be expanded ({path}).", code="property_expansion_error", param="expand")
    return world.store.find(FIELDS[name], inner) or inner


def _tax_ids(world: World, customer: Object) -> Object:
    return listing(list(world.store.where("tax_id", customer=customer["id"])), url=f"/v1/customers/{customer['id']}/tax_ids")


def _refunds(world: World, charge: Object) -> Object:
    return listing(list(reversed(list(world.store.where("refund", charge=charge["id"])))), url=f"/v1/charges/{charge['id']}/refunds")


def _payments(world: World, invoice: Object) -> Object:
    payment = invoice_payments.of(world, invoice["id"])
    return listing([payment] if payment else [], url=f"/v1/invoice_payments?invoice={invoice['id']}")


def _confirmation_secret(world: World, invoice: Object) -> Object | None:
    payment = invoice_payments.of(world, invoice["id"])
    if payment is None:
        return None
    intent = world.store.get(payment_intents.KIND, payment["payment"]["payment_intent"])
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


def _line_items(world: World, session: Object) -> Object:
    items = checkout_sessions.line_items(world, session["id"])
    return listing(items, url=f"/v1/checkout/sessions/{session['id']}/line_items")


def _subscriptions(world: World, customer: Object) -> Object:
    return listing(subscriptions.of_customer(world, customer["id"]), url=f"/v1/customers/{customer['id']}/subscriptions")


# Fields that Stripe leaves out until they are asked for.
HIDDEN = {
    ("invoice", "payments"): _payments,
    ("invoice", "confirmation_secret"): _confirmation_secret,
    ("checkout.session", "line_items"): _line_items,
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax_ids"): _tax_ids,
    ("charge", "refunds"): _refunds,
}
