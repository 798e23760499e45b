"""One attempt to pay an intent: the card's own behaviour decides, and a bank debit decides days later."""

from __future__ import annotations

from .. import agenda
from ..cards import AUTHENTICATION, GENERIC, Decline
from ..objects import Object
from ..resources import charges, customers, payment_intents, payment_methods
from ..world import World
from . import connect

SETTLE = "settle_charge"
DISPUTE = "open_dispute"
SETTLES_AFTER_S = 5 * 86400


def attempt(world: World, intent_id: str, method_id: str, *, is_authenticated: bool = False, url: str | None = None) -> Decline | None:
    """Try to take what an intent asks for.

    Args:
        url: where the cardholder passes 3-D Secure; None is the intent's own page.

    Returns:
        Why it failed; None when the money was taken, reserved, or (a bank debit) is on its way.
    """
    intent = world.store.get(payment_intents.KIND, intent_id)
    method = world.store.get(payment_methods.KIND, method_id)
    if is_authenticated:
        payment_methods.note_authentication(world, method_id)
    decline = payment_methods.card_of(world, method_id).on_charge
    if intent["customer"] and customers.is_declining(world, intent["customer"]):
        decline = GENERIC
    elif method["type"] == "sepa_debit":
        _begin_debit(world, intent, method)
        return None
    elif payment_methods.needs_authentication(world, method_id) and not is_authenticated:
        payment_intents.require_action(world, intent_id, method=method, url=url or world.url(f"/3ds/{intent_id}"))
        return AUTHENTICATION
    is_reserved = intent["capture_method"] == "manual"
    charge = charges.create(world, intent, method, decline=decline, was_authenticated=is_authenticated, is_reserved=is_reserved)
    if decline is not None:
        payment_intents.fail(world, intent_id, charge=charge, decline=decline, method=method)
    elif is_reserved:
        payment_intents.reserve(world, intent_id, charge)
    else:
        payment_intents.succeed(world, intent_id, charge)
        connect.follow_charge(world, charge)
    if decline is None and payment_methods.card_of(world, method_id).disputes:
        agenda.plan(world, DISPUTE, charge["id"], at=world.now)
    return decline


def settle(world: World, charge_id: str) -> tuple[str, Decline | None]:
    """Let a bank debit arrive or come back; return its intent's id, and why it failed."""
    charge = world.store.get(charges.KIND, charge_id)
    method = world.store.get(payment_methods.KIND, charge["payment_method"])
    decline = payment_methods.card_of(world, method["id"]).on_settlement
    settled = charges.settle(world, charge_id, decline=decline)
    if decline is None:
        payment_intents.succeed(world, charge["payment_intent"], settled)
        connect.follow_charge(world, settled)
    else:
        payment_intents.fail(world, charge["payment_intent"], charge=settled, decline=decline, method=method)
    return str(charge["payment_intent"]), decline


def _begin_debit(world: World, intent: Object, method: Object) -> None:
    charge = charges.create(world, intent, method, decline=None, was_authenticated=False, is_pending=True)
    payment_intents.process(world, intent["id"], charge)
    agenda.plan(world, SETTLE, charge["id"], at=world.now + SETTLES_AFTER_S)
