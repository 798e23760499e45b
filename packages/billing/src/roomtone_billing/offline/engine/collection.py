"""Collecting an invoice: one attempt on a card, what it does to the subscription, and the retries after a failure."""

from __future__ import annotations

from .. import agenda
from ..cards import AUTHENTICATION, GENERIC, Decline, refusal
from ..errors import InvalidRequest
from ..objects import Object
from ..resources import charges, customers, invoices, payment_intents, payment_methods, subscriptions
from ..world import World

RETRY = "retry_invoice"
EXPIRE_INCOMPLETE = "expire_incomplete"
DUNNING = "dunning"
DAY_S = 86400
INCOMPLETE_S = 23 * 3600
NO_CARD = Decline(code="missing", message="This customer has no attached payment source or default payment method.")


def collect(
    world: World, invoice_id: str, *, method_id: str | None = None, is_authenticated: bool = False, is_retry: bool = False
) -> Decline | None:
    """Try to take what an open invoice asks for, and let the subscription follow.

    Args:
        method_id: the card to charge; None charges the subscription's or the customer's default.
        is_authenticated: the cardholder has just passed 3-D Secure.
        is_retry: it is one of the scheduled attempts, which are counted.

    Returns:
        Why it failed; None when it is paid.
    """
    invoice = world.store.get(invoices.KIND, invoice_id)
    if invoice["status"] != "open":
        raise InvalidRequest(f"Invoice is {invoice['status']}, so it cannot be paid.", code="invoice_not_editable")
    subscription = world.store.get(subscriptions.KIND, invoices.subscription_id(invoice))
    chosen = method_id or payment_methods.default_for(world, subscription, invoice["customer"])
    decline = _charge(world, invoice, chosen, is_authenticated=is_authenticated) if chosen else NO_CARD
    if decline is None:
        if method_id and subscription["payment_settings"]["save_default_payment_method"] == "on_subscription":
            subscriptions.change(world, subscription["id"], default_payment_method=method_id)
        invoices.mark_paid(world, invoice_id)
        after_payment(world, invoice_id)
    else:
        _after_failure(world, invoice_id, subscription, decline, is_retry=is_retry)
    return decline


def after_payment(world: World, invoice_id: str) -> None:
    """Let the subscription follow a paid invoice: incomplete becomes active or trialing; past due and unpaid become active again."""
    agenda.cancel(world, RETRY, invoice_id)
    world.store.remove(DUNNING, invoice_id)
    invoice = world.store.get(invoices.KIND, invoice_id)
    subscription = world.store.get(subscriptions.KIND, invoices.subscription_id(invoice))
    status = subscription["status"]
    if status == "incomplete":
        agenda.cancel(world, EXPIRE_INCOMPLETE, subscription["id"])
        subscriptions.change(world, subscription["id"], status="active")
    elif status in ("past_due", "unpaid") and not _owed(world, subscription):
        subscriptions.change(world, subscription["id"], status="active")
    _note_delinquency(world, invoice["customer"])


def expire_incomplete(world: World, subscription_id: str) -> None:
    """A first invoice that was not paid within 23 hours: the subscription never begins."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] != "incomplete":
        return
    if world.store.get(invoices.KIND, subscription["latest_invoice"])["status"] == "open":
        invoices.void(world, subscription["latest_invoice"])
    subscriptions.change(world, subscription_id, status="incomplete_expired", ended_at=world.now)


def retry(world: World, invoice_id: str) -> None:
    """Make a scheduled attempt, if the invoice still waits for it."""
    if world.store.get(invoices.KIND, invoice_id)["status"] == "open":
        collect(world, invoice_id, is_retry=True)


def error_for(world: World, invoice_id: str, decline: Decline, *, is_recorded: bool) -> Exception:
    """Return the API's answer to a failed payment, with the payment intent inside."""
    intent_id = invoices.intent_id(world, invoice_id)
    if decline is NO_CARD:
        return InvalidRequest(
            f"{NO_CARD.message} Please consider adding a default payment method.", code="resource_missing", param="default_payment_method"
        )
    error = refusal(decline, is_recorded=is_recorded)
    error.more["payment_intent"] = world.store.get(payment_intents.KIND, intent_id) if intent_id else None
    return error


def _charge(world: World, invoice: Object, method_id: str, *, is_authenticated: bool) -> Decline | None:
    method = world.store.get(payment_methods.KIND, method_id)
    intent_id = invoices.intent_id(world, invoice["id"])
    assert intent_id is not None, "an open invoice has a payment intent"
    if is_authenticated:
        payment_methods.note_authentication(world, method_id)
    decline = payment_methods.card_of(world, method_id).on_charge
    if customers.is_declining(world, invoice["customer"]):
        decline = GENERIC
    elif payment_methods.needs_authentication(world, method_id) and not is_authenticated:
        payment_intents.require_action(world, intent_id, method=method, url=invoice["hosted_invoice_url"])
        return AUTHENTICATION
    intent = world.store.get(payment_intents.KIND, intent_id)
    charge = charges.create(world, intent, method, decline=decline, was_authenticated=is_authenticated)
    if decline is None:
        payment_intents.succeed(world, intent_id, charge)
    else:
        payment_intents.fail(world, intent_id, charge=charge, decline=decline, method=method)
    return decline


def _after_failure(world: World, invoice_id: str, subscription: Object, decline: Decline, *, is_retry: bool) -> None:
    is_dunned = subscription["status"] in ("active", "trialing", "past_due")
    next_attempt = _plan_retry(world, invoice_id, is_retry=is_retry) if is_dunned else None
    invoices.note_failure(world, invoice_id, next_attempt=next_attempt, needs_action=decline is AUTHENTICATION)
    if is_dunned and next_attempt is not None:
        subscriptions.change(world, subscription["id"], status="past_due")
    elif is_dunned:
        _end_dunning(world, invoice_id, subscription["id"])
    if not world.store.get(customers.KIND, subscription["customer"])["delinquent"]:
        customers.change(world, subscription["customer"], delinquent=True)


def _plan_retry(world: World, invoice_id: str, *, is_retry: bool) -> int | None:
    dunning = world.store.find(DUNNING, invoice_id) or {"id": invoice_id, "failed_at": world.now, "tried": 0}
    tried = dunning["tried"] + (1 if is_retry else 0)
    world.store.replace(DUNNING, {**dunning, "tried": tried})
    if tried >= len(world.settings.retry_days):
        return None
    at: int = int(dunning["failed_at"]) + world.settings.retry_days[tried] * DAY_S
    agenda.plan(world, RETRY, invoice_id, at=at)
    return at


def _end_dunning(world: World, invoice_id: str, subscription_id: str) -> None:
    invoices.change(world, invoice_id, auto_advance=False)
    match world.settings.after_retries:
        case "canceled":
            subscriptions.end(world, subscription_id, reason="payment_failed")
            agenda.cancel(world, "period_end", subscription_id)
        case "unpaid":
            subscriptions.change(world, subscription_id, status="unpaid")
        case "past_due":
            subscriptions.change(world, subscription_id, status="past_due")


def _owed(world: World, subscription: Object) -> bool:
    """Is the latest finalised invoice of the subscription still open?"""
    finalised = [
        each
        for each in world.store.where(invoices.KIND, customer=subscription["customer"])
        if invoices.subscription_id(each) == subscription["id"] and each["status"] in ("open", "paid")
    ]
    return bool(finalised) and finalised[-1]["status"] == "open"


def _note_delinquency(world: World, customer_id: str) -> None:
    customer = world.store.find(customers.KIND, customer_id)
    if customer is None or not customer.get("delinquent"):
        return
    if not any(each["attempted"] for each in world.store.where(invoices.KIND, customer=customer_id, status="open")):
        customers.change(world, customer_id, delinquent=False)
