"""What a submitted Checkout page does: begin a subscription and collect its first invoice, take one payment, or save a card."""

from __future__ import annotations

from dataclasses import dataclass

from ..cards import AUTHENTICATION, Card, refusal
from ..errors import InvalidRequest
from ..objects import Object
from ..resources import (
    checkout_lines,
    checkout_sessions,
    customers,
    discounts,
    invoices,
    payment_intents,
    payment_methods,
    products,
    promotion_codes,
    setup_intents,
    subscriptions,
)
from ..resources.subscriptions import Wanted
from ..world import World
from . import collection, connect, cycle, intents, subscription_fields

INTENT = ("description", "receipt_email", "statement_descriptor", "transfer_group", "application_fee_amount", "on_behalf_of")


@dataclass(frozen=True, kw_only=True)
class Payer:
    """What the customer typed; `card` is None where none is asked for."""

    email: str
    name: str
    card: Card | None
    expires: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class _Means:
    """How it is paid: the method, and whether the cardholder has just passed 3-D Secure."""

    method: Object | None
    is_authenticated: bool = False


def open_session(world: World, params: Object) -> Object:
    """Add an open session; a setup's intent waits from the beginning.

    Raises:
        InvalidRequest: the parameters contradict each other, or an account that takes part cannot charge.
    """
    session = checkout_sessions.create(world, params)
    data = params.get("payment_intent_data", {})
    connect.refuse_unready(world, {**data, "amount": session["amount_total"]})
    subscription_fields.connect_terms(world, params.get("subscription_data", {}))
    if session["mode"] != "setup":
        return session
    data = {**params.get("setup_intent_data", {}), "payment_method_types": session["payment_method_types"]}
    intent = setup_intents.create(world, {**data, "customer": session["customer"]}, payment_method=None)
    return checkout_sessions.change(world, session["id"], setup_intent=intent["id"])


def use_code(world: World, session_id: str, text: str) -> Object:
    """Take off what a promotion code stands for; an empty text takes nothing off any more.

    Raises:
        InvalidRequest: there is no such code, or it cannot be redeemed here.
    """
    _refuse_closed(world, session_id)
    session = world.store.get(checkout_sessions.KIND, session_id)
    if not session["allow_promotion_codes"]:
        raise InvalidRequest("This Checkout Session takes no promotion codes.")
    if not text:
        return checkout_sessions.take_off(world, session_id, None)
    code = promotion_codes.find(world, text)
    if code is None:
        raise InvalidRequest("This code is not valid.")
    lines = checkout_sessions.plan(world, session_id)["lines"]
    given = {"promotion_code": code["id"]}
    discount = checkout_lines.coupon_of(world, given, customer=session["customer"], lines=lines, param="promotion_code")
    return checkout_sessions.take_off(world, session_id, discount)


def submit(world: World, session_id: str, payer: Payer) -> Object | None:
    """Complete an open session and return it; None when the bank asks for 3-D Secure first.

    Raises:
        CardDeclined: the card was refused and the session stays open. A failed payment or setup is recorded; of a subscription, nothing was
            begun.
        InvalidRequest: the session is no longer open, or its discount can no longer be redeemed.
    """
    _refuse_closed(world, session_id)
    if payer.card is None:
        return _finish(world, session_id, payer, _Means(method=None))
    mode = world.store.get(checkout_sessions.KIND, session_id)["mode"]
    if payer.card.on_attach is not None and mode == "subscription":
        raise refusal(payer.card.on_attach)
    method = payment_methods.create(world, payer.card, expires=payer.expires, details={"email": payer.email, "name": payer.name})
    if payment_methods.needs_authentication(world, method["id"]):
        world.store.change(checkout_sessions.PRIVATE, session_id, payment_method=method["id"])
        return None
    return _finish(world, session_id, payer, _Means(method=method))


def confirm(world: World, session_id: str, *, passed: bool) -> Object:
    """Go on after the bank's 3-D Secure page; raises CardDeclined when the cardholder did not pass."""
    _refuse_closed(world, session_id)
    method_id = checkout_sessions.plan(world, session_id)["payment_method"]
    if not passed or method_id is None:
        raise refusal(AUTHENTICATION)
    method = world.store.get(payment_methods.KIND, method_id)
    details = method["billing_details"]
    payer = Payer(email=details["email"] or "", name=details["name"] or "", card=None)
    return _finish(world, session_id, payer, _Means(method=method, is_authenticated=True))


def _finish(world: World, session_id: str, payer: Payer, means: _Means) -> Object:
    session = world.store.get(checkout_sessions.KIND, session_id)
    finish = {"subscription": _subscribe, "payment": _pay, "setup": _save}[session["mode"]]
    facts = finish(world, session, payer, means)
    customer = world.store.find(customers.KIND, facts.get("customer"))
    typed = customer["email"] if customer else payer.email
    facts["customer_details"] = checkout_sessions.details(customer, typed, payer.name or None)
    return checkout_sessions.complete(world, session_id, **facts)


def _subscribe(world: World, session: Object, payer: Payer, means: _Means) -> Object:
    plan = checkout_sessions.plan(world, session["id"])
    customer_id = _customer(world, session, payer)
    if means.method is not None:
        payment_methods.attach(world, means.method["id"], customer_id)
        if means.is_authenticated:
            payment_methods.note_authentication(world, means.method["id"])
    subscription = cycle.start(
        world,
        customer=customer_id,
        wanted=[Wanted(price=each["price"], quantity=each["quantity"]) for each in plan["lines"] if each["price"]["recurring"]],
        trial_end=plan["trial_end"] or (world.now + plan["trial_days"] * collection.DAY_S if plan["trial_days"] else None),
        discounts_given=[_given(plan["discount"])] if plan["discount"] else [],
        once=[{**each, "description": products.name_of(world, each)} for each in plan["lines"] if not each["price"]["recurring"]],
        default_payment_method=means.method["id"] if means.method else None,
        metadata=plan["metadata"],
        description=plan["description"],
        trial_settings={"end_behavior": {"missing_payment_method": plan["missing_payment_method"]}},
        **_taxed(session),
        **subscription_fields.connect_terms(world, plan["data"]),
    )
    first = world.store.get(invoices.KIND, subscription["latest_invoice"])
    if first["status"] == "open":
        decline = collection.collect(world, first["id"], is_authenticated=means.is_authenticated)
        if decline is not None:
            # Not recorded: Checkout creates nothing until the first payment has gone through.
            raise refusal(decline)
    subscription = world.store.get(subscriptions.KIND, subscription["id"])
    is_owed = world.store.get(invoices.KIND, first["id"])["status"] == "open"
    status = "unpaid" if is_owed else ("paid" if session["amount_total"] else "no_payment_required")
    return {"customer": customer_id, "subscription": subscription["id"], "invoice": first["id"], "payment_status": status}


def _taxed(session: Object) -> Object:
    if not session["automatic_tax"]["enabled"]:
        return {}
    return {"automatic_tax": {"disabled_reason": None, "enabled": True, "liability": {"type": "self"}}}


def _pay(world: World, session: Object, payer: Payer, means: _Means) -> Object:
    plan = checkout_sessions.plan(world, session["id"])
    customer_id = _buyer(world, session, payer)
    facts: Object = {"customer": customer_id, "payment_status": "no_payment_required"}
    if means.method is not None:
        intent = world.store.find(payment_intents.KIND, session["payment_intent"]) or _intent(world, session, plan["data"], customer_id)
        checkout_sessions.change(world, session["id"], payment_intent=intent["id"])
        paid = intents.confirm_payment(world, intent["id"], means.method["id"], is_authenticated=means.is_authenticated)
        facts |= {"payment_intent": intent["id"], "payment_status": "paid" if paid["status"] == "succeeded" else "unpaid"}
    if plan["discount"]:
        # Last, so that a declined card redeems nothing; what can no longer be redeemed undoes the payment.
        given, bought = _given(plan["discount"]), session["amount_subtotal"]
        discounts.apply(world, given, customer=customer_id, amount=bought, checkout_session=session["id"])
    return facts


def _save(world: World, session: Object, payer: Payer, means: _Means) -> Object:
    assert means.method is not None, "a setup has a method"
    customer_id = _buyer(world, session, payer)
    setup_intents.change(world, session["setup_intent"], customer=customer_id)
    if means.is_authenticated:
        setup_intents.require_action(world, session["setup_intent"], url=session["url"])
        setup_intents.change(world, session["setup_intent"], payment_method=means.method["id"])
        intents.authenticate_setup(world, session["setup_intent"], passed=True)
    else:
        intents.confirm_setup(world, session["setup_intent"], means.method["id"])
    return {"customer": customer_id, "payment_status": "no_payment_required"}


def _intent(world: World, session: Object, data: Object, customer_id: str | None) -> Object:
    fields = {name: data[name] for name in INTENT if name in data and name != "description"}
    if "transfer_data" in data:
        fields["transfer_data"] = {"destination": data["transfer_data"]["destination"]}
    return payment_intents.create(
        world,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=customer_id,
        description=data.get("description"),
        metadata=checkout_sessions.plan(world, session["id"])["metadata"],
        payment_method_types=session["payment_method_types"],
        setup_future_usage=data.get("setup_future_usage"),
        **fields,
    )


def _given(discount: Object) -> Object:
    return {name: value for name, value in discount.items() if value and (name == "promotion_code" or not discount["promotion_code"])}


def _buyer(world: World, session: Object, payer: Payer) -> str | None:
    """Return the customer that a payment or setup is for, one for all attempts; None for a guest."""
    plan = checkout_sessions.plan(world, session["id"])
    if plan["customer"]:
        return str(plan["customer"])
    if not (session["customer"] or session["customer_creation"] == "always" or plan["data"].get("setup_future_usage")):
        return None
    customer_id = _customer(world, session, payer)
    world.store.change(checkout_sessions.PRIVATE, session["id"], customer=customer_id)
    return customer_id


def _customer(world: World, session: Object, payer: Payer) -> str:
    if session["customer"] is None:
        return str(customers.create(world, {"email": payer.email, "name": payer.name})["id"])
    customer = world.store.get(customers.KIND, session["customer"])
    gaps = {"email": payer.email if not customer["email"] else None, "name": payer.name if not customer["name"] else None}
    return str(customers.update(world, customer["id"], {field: value for field, value in gaps.items() if value})["id"])


def _refuse_closed(world: World, session_id: str) -> None:
    session = world.store.get(checkout_sessions.KIND, session_id)
    if session["status"] != "open":
        raise InvalidRequest(f"This Checkout Session is {session['status']}; it can be used once and for a day.")
