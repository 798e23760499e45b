"""What the API does with intents: confirm, pass 3-D Secure, capture and cancel, for payments and for setups."""

from __future__ import annotations

from ..cards import AUTHENTICATION, Decline, refusal
from ..errors import CardDeclined, InvalidRequest
from ..objects import Object
from ..resources import charges, disputes, payment_intents, payment_methods, setup_intents
from ..world import World
from . import charging, connect

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture", "processing")


def confirm_payment(
    world: World, intent_id: str, method_id: str | None, *, off_session: bool = False, is_authenticated: bool = False
) -> Object:
    """Try to take a payment.

    Args:
        is_authenticated: the cardholder has just passed 3-D Secure.

    Raises:
        CardDeclined: the bank said no, or wants the cardholder while nobody is there (`off_session`); the attempt stays on record.
        InvalidRequest: the intent is past that, or has no payment method.
    """
    intent = world.store.get(payment_intents.KIND, intent_id)
    _refuse_unless(intent, CONFIRMABLE, verb="confirm")
    chosen = method_id or intent["payment_method"]
    if not chosen:
        raise InvalidRequest(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            param="payment_method",
        )
    decline = charging.attempt(world, intent_id, chosen, is_authenticated=is_authenticated)
    if decline is AUTHENTICATION and not off_session:
        return world.store.get(payment_intents.KIND, intent_id)
    return _outcome(world, intent_id, chosen, decline)


def authenticate_payment(world: World, intent_id: str, *, passed: bool) -> Object:
    """Go on after the bank's 3-D Secure page; raises CardDeclined when the cardholder did not pass or the bank then says no."""
    intent = world.store.get(payment_intents.KIND, intent_id)
    _refuse_unless(intent, ("requires_action",), verb="authenticate")
    method = world.store.get(payment_methods.KIND, intent["payment_method"])
    if not passed:
        failed = Decline(
            code="payment_intent_authentication_failure",
            message="We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        )
        payment_intents.fail(world, intent_id, charge=None, decline=failed, method=method)
        raise refusal(failed, is_recorded=True)
    return _outcome(world, intent_id, method["id"], charging.attempt(world, intent_id, method["id"], is_authenticated=True))


def capture(world: World, intent_id: str, amount: int | None) -> Object:
    """Take what was reserved, all of it or a part."""
    intent = world.store.get(payment_intents.KIND, intent_id)
    _refuse_unless(intent, ("requires_capture",), verb="capture")
    wanted = intent["amount_capturable"] if amount is None else amount
    if not 0 < wanted <= intent["amount_capturable"]:
        raise InvalidRequest("The amount to capture must be positive and at most what is capturable.", param="amount_to_capture")
    charge = charges.capture(world, intent["latest_charge"], wanted)
    captured = payment_intents.succeed(world, intent_id, charge)
    connect.follow_charge(world, charge)
    return captured


def cancel_payment(world: World, intent_id: str, *, reason: str | None) -> Object:
    """Give up a payment; what was reserved is released."""
    intent = world.store.get(payment_intents.KIND, intent_id)
    _refuse_unless(intent, CANCELABLE, verb="cancel")
    if intent["status"] == "requires_capture":
        charges.release(world, intent["latest_charge"])
    if intent["status"] == "processing":
        raise InvalidRequest("A bank debit that is under way cannot be canceled.", code="payment_intent_unexpected_state")
    return payment_intents.cancel(world, intent_id, reason=reason)


def confirm_setup(world: World, intent_id: str, method_id: str | None) -> Object:
    """Save a payment method, or ask the cardholder first; raises CardDeclined when it cannot be saved."""
    intent = world.store.get(setup_intents.KIND, intent_id)
    _refuse_unless(intent, CONFIRMABLE, verb="confirm")
    chosen = method_id or intent["payment_method"]
    if not chosen:
        raise InvalidRequest("You cannot confirm this SetupIntent because it's missing a payment method.", param="payment_method")
    setup_intents.change(world, intent_id, payment_method=chosen)
    card = payment_methods.card_of(world, chosen)
    if card.on_attach is not None:
        setup_intents.fail(world, intent_id, card.on_attach, world.store.get(payment_methods.KIND, chosen))
        raise refusal(card.on_attach, is_recorded=True)
    if payment_methods.needs_authentication(world, chosen):
        return setup_intents.require_action(world, intent_id, url=world.url(f"/3ds/{intent_id}"))
    return _save(world, intent_id, chosen, intent["customer"])


def authenticate_setup(world: World, intent_id: str, *, passed: bool) -> Object:
    """Go on after the bank's 3-D Secure page."""
    intent = world.store.get(setup_intents.KIND, intent_id)
    _refuse_unless(intent, ("requires_action",), verb="authenticate")
    if not passed:
        failed = Decline(code="setup_intent_authentication_failure", message="The cardholder could not be authenticated.")
        setup_intents.fail(world, intent_id, failed, world.store.get(payment_methods.KIND, intent["payment_method"]))
        raise refusal(failed, is_recorded=True)
    payment_methods.note_authentication(world, intent["payment_method"])
    return _save(world, intent_id, intent["payment_method"], intent["customer"])


def cancel_setup(world: World, intent_id: str, *, reason: str | None) -> Object:
    """Give up a setup."""
    _refuse_unless(world.store.get(setup_intents.KIND, intent_id), CONFIRMABLE, verb="cancel")
    return setup_intents.cancel(world, intent_id, reason=reason)


def open_dispute(world: World, charge_id: str) -> None:
    """The test card for disputes does what it is for."""
    disputes.create(world, world.store.get(charges.KIND, charge_id))


def error_of(world: World, intent_id: str, decline: Decline) -> CardDeclined:
    """Return the API's answer to a failed attempt, with the intent inside."""
    error = refusal(decline, is_recorded=True)
    error.more["payment_intent"] = world.store.get(payment_intents.KIND, intent_id)
    return error


def _outcome(world: World, intent_id: str, method_id: str, decline: Decline | None) -> Object:
    if decline is not None:
        raise error_of(world, intent_id, decline)
    intent = world.store.get(payment_intents.KIND, intent_id)
    if intent["setup_future_usage"] and intent["customer"]:
        payment_methods.attach(world, method_id, intent["customer"])
    return intent


def _save(world: World, intent_id: str, method_id: str, customer: str | None) -> Object:
    if customer:
        payment_methods.attach(world, method_id, customer)
    return setup_intents.succeed(world, intent_id)


def _refuse_unless(intent: Object, statuses: tuple[str, ...], *, verb: str) -> None:
    if intent["status"] not in statuses:
        name = "PaymentIntent" if intent["object"] == payment_intents.KIND else "SetupIntent"
        error = InvalidRequest(
            f"You cannot {verb} this {name} because it has a status of {intent['status']}.", code=f"{intent['object']}_unexpected_state"
        )
        error.more[intent["object"]] = intent
        raise error
