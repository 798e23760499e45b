"""What a submitted Checkout page does: save the card, begin the subscription, collect the first invoice. All of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ..cards import AUTHENTICATION, Card, refusal
from ..errors import InvalidRequest
from ..objects import Object
from ..resources import checkout_sessions, customers, payment_methods, subscriptions
from ..resources.subscriptions import Wanted
from ..world import World
from . import collection, cycle


@dataclass(frozen=True, kw_only=True)
class Payer:
    """What the customer typed; `card` is None where no card is asked for."""

    email: str
    name: str
    card: Card | None
    expires: tuple[int, int] | None = None


def submit(world: World, session_id: str, payer: Payer) -> Object | None:
    """Complete an open session and return it; None when the bank asks for 3-D Secure first.

    Raises:
        CardDeclined: the card was refused; nothing was begun and the session stays open.
        InvalidRequest: the session is no longer open.
    """
    _refuse_closed(world, session_id)
    if payer.card is None:
        return _begin(world, session_id, payer.email, payer.name, method=None, is_authenticated=False)
    if payer.card.on_attach is not None:
        raise refusal(payer.card.on_attach)
    method = payment_methods.create(world, payer.card, expires=payer.expires, details={"email": payer.email, "name": payer.name})
    if payment_methods.needs_authentication(world, method["id"]):
        world.store.change(checkout_sessions.PRIVATE, session_id, payment_method=method["id"])
        return None
    return _begin(world, session_id, payer.email, payer.name, method=method, is_authenticated=False)


def confirm(world: World, session_id: str, *, passed: bool) -> Object:
    """Go on after the bank's 3-D Secure page; raises CardDeclined when the cardholder did not pass."""
    _refuse_closed(world, session_id)
    method_id = checkout_sessions.plan(world, session_id)["payment_method"]
    if not passed or method_id is None:
        raise refusal(AUTHENTICATION)
    method = world.store.get(payment_methods.KIND, method_id)
    details = method["billing_details"]
    return _begin(world, session_id, details["email"] or "", details["name"] or "", method=method, is_authenticated=True)


def _begin(world: World, session_id: str, email: str, name: str, *, method: Object | None, is_authenticated: bool) -> Object:
    plan = checkout_sessions.plan(world, session_id)
    customer = _customer(world, world.store.get(checkout_sessions.KIND, session_id), email=email, name=name)
    if method is not None:
        payment_methods.attach(world, method["id"], customer["id"])
        if is_authenticated:
            payment_methods.note_authentication(world, method["id"])
    subscription = cycle.start(
        world,
        customer=customer["id"],
        wanted=[Wanted(price=line["price"], quantity=line["quantity"]) for line in plan["lines"]],
        trial_end=plan["trial_end"] or (world.now + plan["trial_days"] * collection.DAY_S if plan["trial_days"] else None),
        default_payment_method=method["id"] if method else None,
        metadata=plan["metadata"],
        description=plan["description"],
        trial_settings={"end_behavior": {"missing_payment_method": plan["missing_payment_method"]}},
    )
    if subscription["status"] == "incomplete":
        decline = collection.collect(world, subscription["latest_invoice"], is_authenticated=is_authenticated)
        if decline is not None:
            # Not recorded: Checkout creates nothing until the first payment has gone through.
            raise refusal(decline)
    subscription = world.store.get(subscriptions.KIND, subscription["id"])
    customer = world.store.get(customers.KIND, customer["id"])
    return checkout_sessions.complete(world, session_id, customer=customer, subscription=subscription)


def _customer(world: World, session: Object, *, email: str, name: str) -> Object:
    if session["customer"] is None:
        return customers.create(world, {"email": email, "name": name})
    customer = world.store.get(customers.KIND, session["customer"])
    gaps = {"email": email if not customer["email"] else None, "name": name if not customer["name"] else None}
    return customers.update(world, customer["id"], {field: value for field, value in gaps.items() if value})


def _refuse_closed(world: World, session_id: str) -> None:
    session = world.store.get(checkout_sessions.KIND, session_id)
    if session["status"] != "open":
        raise InvalidRequest(f"This Checkout Session is {session['status']}; it can be used once and for a day.")
