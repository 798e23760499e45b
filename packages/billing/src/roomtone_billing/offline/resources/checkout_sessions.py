"""Checkout sessions: a page on which a customer begins a subscription. Open for a day at most."""

from __future__ import annotations

from typing import Any

from .. import agenda
from ..errors import InvalidRequest
from ..objects import Object, merged_metadata
from ..world import World
from . import customers, events, prices

KIND = "checkout.session"
PRIVATE = "checkout_plan"
EXPIRE = "expire_checkout_session"
OPEN_S = 24 * 3600
OPEN_S_MIN = 30 * 60
TRIAL_DAYS_MAX = 730
TRIAL_S_MIN = 48 * 3600


def create(world: World, params: Object) -> Object:
    """Add an open session in subscription mode.

    Raises:
        InvalidRequest: no line item, a price that is not recurring or not active, or an expiry outside 30 minutes to 24 hours.
    """
    lines = _line_items(world, params)
    customer = world.store.get(customers.KIND, params["customer"], param="customer") if "customer" in params else None
    if customer and "customer_email" in params:
        raise InvalidRequest("You may only specify one of these parameters: customer, customer_email.", param="customer_email")
    prices.refuse_mixed_currencies([each["price"] for each in lines], customer["currency"] if customer else None)
    expires_at = _expiry(world, params)
    session_id = world.new_id("cs_test", length=58)
    data = params.get("subscription_data", {})
    trial_days, trial_end = data.get("trial_period_days"), data.get("trial_end")
    if trial_days is not None and not 1 <= trial_days <= TRIAL_DAYS_MAX:
        raise InvalidRequest(f"Trials last 1 to {TRIAL_DAYS_MAX} days.", param="subscription_data[trial_period_days]")
    if trial_end is not None and trial_end < world.now + TRIAL_S_MIN:
        raise InvalidRequest("The trial must last at least 48 hours.", param="subscription_data[trial_end]")
    is_free_now = bool(trial_days or trial_end)
    total = sum(each["price"]["unit_amount"] * each["quantity"] for each in lines)
    world.store.add(
        PRIVATE,
        {
            "id": session_id,
            "lines": [{**each, "item_id": world.new_id("li")} for each in lines],
            "metadata": merged_metadata({}, data.get("metadata")),
            "description": data.get("description"),
            "trial_days": trial_days,
            "trial_end": trial_end,
            "missing_payment_method": data.get("trial_settings", {})
            .get("end_behavior", {})
            .get("missing_payment_method", "create_invoice"),
            "payment_method": None,
        },
    )
    session = world.store.add(
        KIND,
        {
            **_blank(params),
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": 0 if is_free_now else total,
            "amount_total": 0 if is_free_now else total,
            "created": world.now,
            "currency": lines[0]["price"]["currency"],
            "customer": customer["id"] if customer else None,
            "customer_details": _details(customer, params.get("customer_email")),
            "customer_email": params.get("customer_email"),
            "expires_at": expires_at,
            "metadata": merged_metadata({}, params.get("metadata")),
            "payment_status": "no_payment_required" if is_free_now else "unpaid",
            "status": "open",
            "url": world.url(f"/c/pay/{session_id}"),
        },
    )
    agenda.plan(world, EXPIRE, session_id, at=expires_at)
    return session


def plan(world: World, session_id: str) -> Object:
    """Return what the session will start: price and quantity lines, trial, metadata. Stripe keeps these inside, too."""
    return world.store.get(PRIVATE, session_id)


def line_items(world: World, session_id: str) -> list[Object]:
    """Return the session's line items as Stripe shows them."""
    session = world.store.get(KIND, session_id)
    shown = []
    for line in plan(world, session_id)["lines"]:
        amount = line["price"]["unit_amount"] * line["quantity"] if session["amount_total"] else 0
        product = world.store.find("product", line["price"]["product"]) or {}
        shown.append(
            {
                "id": line["item_id"],
                "object": "item",
                "adjustable_quantity": None,
                "amount_discount": 0,
                "amount_subtotal": amount,
                "amount_tax": 0,
                "amount_total": amount,
                "currency": session["currency"],
                "description": product.get("name", line["price"]["product"]),
                "metadata": {},
                "price": line["price"],
                "quantity": line["quantity"],
            }
        )
    return shown


def change(world: World, session_id: str, **values: Any) -> Object:
    """Replace fields; sessions have no updated event."""
    return world.store.change(KIND, session_id, **values)


def complete(world: World, session_id: str, *, customer: Object, subscription: Object) -> Object:
    """Close the session as done and emit checkout.session.completed."""
    before = world.store.get(KIND, session_id)
    agenda.cancel(world, EXPIRE, session_id)
    session = change(
        world,
        session_id,
        status="complete",
        payment_status="paid" if before["amount_total"] else "no_payment_required",
        customer=customer["id"],
        customer_details=_details(customer, customer["email"]),
        invoice=subscription["latest_invoice"],
        subscription=subscription["id"],
        url=None,
    )
    events.emit(world, "checkout.session.completed", session)
    return session


def expire(world: World, session_id: str) -> Object:
    """Close an open session unused and emit checkout.session.expired."""
    session = world.store.get(KIND, session_id)
    if session["status"] != "open":
        raise InvalidRequest(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of {session["status"]}.'
        )
    agenda.cancel(world, EXPIRE, session_id)
    expired = change(world, session_id, status="expired", url=None)
    events.emit(world, "checkout.session.expired", expired)
    return expired


def expire_if_open(world: World, session_id: str) -> None:
    """Expire a session whose time has come."""
    if world.store.get(KIND, session_id)["status"] == "open":
        expire(world, session_id)


def _line_items(world: World, params: Object) -> list[Object]:
    given = params.get("line_items") or []
    if not given:
        raise InvalidRequest("You must provide `line_items` in `subscription` mode.", code="parameter_missing", param="line_items")
    lines = []
    for place, each in enumerate(given):
        param = f"line_items[{place}][price]"
        if "price" not in each:
            raise InvalidRequest(f"Missing required param: {param}.", code="parameter_missing", param=param)
        quantity = each.get("quantity", 1)
        if quantity < 1:
            raise InvalidRequest(
                "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=f"line_items[{place}][quantity]"
            )
        lines.append({"price": prices.recurring_price(world, each["price"], param=param), "quantity": quantity})
    return lines


def _expiry(world: World, params: Object) -> int:
    expires_at = int(params.get("expires_at", world.now + OPEN_S))
    if not OPEN_S_MIN <= expires_at - world.now <= OPEN_S:
        raise InvalidRequest(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.", param="expires_at"
        )
    return expires_at


def _details(customer: Object | None, email: str | None) -> Object | None:
    if customer is None and email is None:
        return None
    return {
        "address": customer["address"] if customer else None,
        "business_name": None,
        "email": (customer["email"] if customer else None) or email,
        "individual_name": None,
        "name": customer["name"] if customer else None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [] if customer else None,
    }


def _blank(params: Object) -> Object:
    return {
        "adaptive_pricing": None,
        "after_expiration": None,
        "allow_promotion_codes": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None, "terms_of_service_acceptance": None},
        "customer_account": None,
        "customer_creation": "if_required" if "customer" in params else "always",
        "discounts": [],
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": params.get("locale"),
        "mode": "subscription",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": params.get("payment_method_collection", "always"),
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": {
            "allow_redisplay_filters": ["always"],
            "payment_method_remove": "disabled",
            "payment_method_save": None,
        },
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "submit_type": None,
        "subscription": None,
        "success_url": params.get("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": params.get("ui_mode", "hosted_page"),
        "wallet_options": None,
    }
