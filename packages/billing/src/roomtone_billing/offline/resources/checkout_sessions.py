"""Checkout sessions: a page on which a customer begins a subscription, pays once, or saves a card. Open for a day at most."""

from __future__ import annotations

from typing import Any

from .. import agenda
from ..errors import InvalidRequest, NotSupported
from ..objects import Object, merged_metadata
from ..world import World
from . import automatic_tax, checkout_lines, customers, events, prices

KIND = "checkout.session"
PRIVATE = "checkout_plan"
EXPIRE = "expire_checkout_session"
OPEN_S = 24 * 3600
# Which parameter describes what a mode leads to.
DATA = {"subscription": "subscription_data", "payment": "payment_intent_data", "setup": "setup_intent_data"}
OPEN_S_MIN = 30 * 60
TRIAL_DAYS_MAX = 730
TRIAL_S_MIN = 48 * 3600


def create(world: World, params: Object) -> Object:
    """Add an open session in the mode that the parameters name.

    Raises:
        InvalidRequest: lines, discounts or data that do not fit the mode, or an expiry outside 30 minutes to 24 hours.
    """
    mode = params["mode"]
    lines = checkout_lines.read(world, params, mode=mode)
    customer = world.store.get(customers.KIND, params["customer"], param="customer") if "customer" in params else None
    _refuse_contradictions(params, mode)
    currency = lines[0]["price"]["currency"] if lines else params.get("currency")
    if lines:
        prices.refuse_mixed_currencies([each["price"] for each in lines], customer["currency"] if customer else None)
    session_id = world.new_id("cs_test", length=58)
    kept = world.store.add(PRIVATE, {"id": session_id, **_plan(world, params, lines, customer)})
    is_free_now = mode == "setup" or bool(kept["trial_days"] or kept["trial_end"])
    sums = checkout_lines.sums(world, kept) if lines else {"amount_subtotal": None, "amount_total": None, "total_details": None}
    session = world.store.add(
        KIND,
        {
            **_blank(params),
            **sums,
            "id": session_id,
            "object": "checkout.session",
            "created": world.now,
            "currency": currency,
            "customer": customer["id"] if customer else None,
            "customer_details": details(customer, params.get("customer_email")),
            "customer_email": params.get("customer_email"),
            "expires_at": _expiry(world, params),
            "metadata": merged_metadata({}, params.get("metadata")),
            "payment_status": "no_payment_required" if is_free_now and not sums["amount_total"] else "unpaid",
            "status": "open",
            "url": world.url(f"/c/pay/{session_id}"),
        },
    )
    agenda.plan(world, EXPIRE, session_id, at=session["expires_at"])
    return session


def plan(world: World, session_id: str) -> Object:
    """Return what the session will do: lines, discount, trial, metadata. Stripe keeps these inside, too."""
    return world.store.get(PRIVATE, session_id)


def line_items(world: World, session_id: str) -> list[Object]:
    """Return the session's line items as Stripe shows them."""
    world.store.get(KIND, session_id)
    return checkout_lines.shown(world, plan(world, session_id))


def take_off(world: World, session_id: str, discount: Object | None) -> Object:
    """Put another discount on an open session, or none, and work its sums out anew."""
    kept = world.store.change(PRIVATE, session_id, discount=discount)
    return change(world, session_id, **checkout_lines.sums(world, kept))


def change(world: World, session_id: str, **values: Any) -> Object:
    """Replace fields; sessions have no updated event."""
    return world.store.change(KIND, session_id, **values)


def complete(world: World, session_id: str, *, payment_status: str, **facts: Any) -> Object:
    """Close the session as done and emit checkout.session.completed; `facts` are what it led to."""
    agenda.cancel(world, EXPIRE, session_id)
    session = change(world, session_id, status="complete", payment_status=payment_status, url=None, **facts)
    events.emit(world, "checkout.session.completed", session)
    return session


def settle(world: World, *, intent: str, invoice: str | None, has_arrived: bool) -> None:
    """A bank debit that a completed session waits for arrives, or comes back."""
    by_invoice = list(world.store.where(KIND, invoice=invoice)) if invoice else []
    for each in [*world.store.where(KIND, payment_intent=intent), *by_invoice]:
        if (each["status"], each["payment_status"]) == ("complete", "unpaid"):
            session = change(world, each["id"], payment_status="paid" if has_arrived else "unpaid")
            events.emit(world, f"checkout.session.async_payment_{'succeeded' if has_arrived else 'failed'}", session)


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


def _plan(world: World, params: Object, lines: list[Object], customer: Object | None) -> Object:
    data: Object = next((params[name] for name in DATA.values() if name in params), {})
    trial_days, trial_end = data.get("trial_period_days"), data.get("trial_end")
    if trial_days is not None and not 1 <= trial_days <= TRIAL_DAYS_MAX:
        raise InvalidRequest(f"Trials last 1 to {TRIAL_DAYS_MAX} days.", param="subscription_data[trial_period_days]")
    if trial_end is not None and trial_end < world.now + TRIAL_S_MIN:
        raise InvalidRequest("The trial must last at least 48 hours.", param="subscription_data[trial_end]")
    given = params.get("discounts") or []
    if len(given) > 1:
        raise InvalidRequest("A Checkout Session takes one discount.", param="discounts")
    customer_id = customer["id"] if customer else None
    taken = [checkout_lines.coupon_of(world, each, customer=customer_id, lines=lines, param="discounts") for each in given]
    return {
        "lines": lines,
        "tax_rates": [each["id"] for each in _tax_rates(world, params, customer)],
        "discount": taken[0] if taken else None,
        "metadata": merged_metadata({}, data.get("metadata")),
        "description": data.get("description"),
        "data": data,
        "trial_days": trial_days,
        "trial_end": trial_end,
        "missing_payment_method": data.get("trial_settings", {}).get("end_behavior", {}).get("missing_payment_method", "create_invoice"),
        "payment_method": None,
        "customer": None,
    }


def _taxes(params: Object) -> Object:
    return {"enabled": False, **params.get("automatic_tax", {})}


def _tax_rates(world: World, params: Object, customer: Object | None) -> list[Object]:
    asked = _taxes(params)
    if asked["enabled"] and customer is None:
        raise NotSupported("automatic tax for a customer who has no address yet", param="automatic_tax")
    return automatic_tax.rates(world, customer, asked) if customer else []


def _refuse_contradictions(params: Object, mode: str) -> None:
    for other, name in DATA.items():
        if other != mode and name in params:
            raise InvalidRequest(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if mode != "subscription" and "payment_method_collection" in params:
        raise InvalidRequest("`payment_method_collection` is for `subscription` mode.", param="payment_method_collection")
    if mode == "subscription" and "customer_creation" in params:
        raise InvalidRequest("`customer_creation` is for `payment` and `setup` mode.", param="customer_creation")
    if mode == "setup" and (params.get("discounts") or params.get("allow_promotion_codes")):
        raise InvalidRequest("You can not pass `discounts` in `setup` mode.", param="discounts")
    for one, another in (("customer", "customer_email"), ("customer", "customer_creation"), ("allow_promotion_codes", "discounts")):
        if params.get(one) and params.get(another):
            raise InvalidRequest(f"You may only specify one of these parameters: {one}, {another}.", param=another)


def _expiry(world: World, params: Object) -> int:
    expires_at = int(params.get("expires_at", world.now + OPEN_S))
    if not OPEN_S_MIN <= expires_at - world.now <= OPEN_S:
        raise InvalidRequest(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.", param="expires_at"
        )
    return expires_at


def details(customer: Object | None, email: str | None, name: str | None = None) -> Object | None:
    """Return `customer_details`: the customer's, or what somebody who is no customer typed."""
    if customer is None and email is None:
        return None
    return {
        "address": customer["address"] if customer else None,
        "business_name": None,
        "email": (customer["email"] if customer else None) or email,
        "individual_name": None,
        "name": customer["name"] if customer else name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [] if customer else None,
    }


def _customer_creation(params: Object) -> str:
    if "customer" in params:
        return "if_required"
    return str(params.get("customer_creation") or ("always" if params["mode"] == "subscription" else "if_required"))


def _blank(params: Object) -> Object:
    return {
        "adaptive_pricing": None,
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "automatic_tax": {name: value for name, value in automatic_tax.shown(_taxes(params)).items() if name != "disabled_reason"},
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
        "customer_creation": _customer_creation(params),
        "discounts": [],
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": params.get("locale"),
        "mode": params["mode"],
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": params.get("payment_method_collection", "if_required" if params["mode"] == "payment" else "always"),
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": params.get("payment_method_types", ["card"]),
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
