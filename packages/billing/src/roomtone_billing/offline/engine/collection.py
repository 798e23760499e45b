"""Collecting an invoice: one attempt on a card, what it does to the subscription, and the retries after a failure."""

from __future__ import annotations

from .. import agenda
from ..cards import AUTHENTICATION, Decline, refusal
from ..errors import InvalidRequest
from ..objects import Object
from ..resources import checkout_sessions, customers, events, invoice_payments, invoices, payment_intents, payment_methods, subscriptions
from ..world import World
from . import charging

RETRY = "retry_invoice"
OVERDUE = "become_overdue"
EXPIRE_INCOMPLETE = "expire_incomplete"
DUNNING = "dunning"
PENDING_UPDATE = "pending_update"
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
        Why it failed; None when it is paid, or a bank debit for it is on its way.
    """
    invoice = world.store.get(invoices.KIND, invoice_id)
    if invoice["status"] not in ("open", "uncollectible"):
        raise InvalidRequest(f"Invoice is {invoice['status']}, so it cannot be paid.", code="invoice_not_editable")
    subscription = subscription_of(world, invoice)
    chosen = method_id or invoice["default_payment_method"] or payment_methods.default_for(world, subscription, invoice["customer"])
    intent_id = invoices.intent_id(world, invoice_id)
    assert intent_id is not None, "an open invoice has a payment intent"
    decline: Decline | None = NO_CARD
    if chosen:
        attempt = {"is_authenticated": is_authenticated, "url": invoice["hosted_invoice_url"]}
        decline = charging.attempt(world, intent_id, chosen, **attempt)
    if decline is not None:
        _after_failure(world, invoice_id, subscription, decline, is_retry=is_retry)
        return decline
    if subscription and method_id and subscription["payment_settings"]["save_default_payment_method"] == "on_subscription":
        subscriptions.change(world, subscription["id"], default_payment_method=method_id)
    if world.store.get(payment_intents.KIND, intent_id)["status"] == "processing":
        _let_begin(world, subscription)
    else:
        settle(world, invoice_id)
    return None


def settle(world: World, invoice_id: str) -> None:
    """The money for an open invoice is there."""
    invoices.mark_paid(world, invoice_id)
    after_payment(world, invoice_id)


def settle_debit(world: World, charge_id: str) -> None:
    """A bank debit arrives or comes back; the invoice that it pays follows."""
    intent_id, decline = charging.settle(world, charge_id)
    payment = invoice_payments.of(world, intent_id)
    invoice = world.store.find(invoices.KIND, payment["invoice"]) if payment else None
    checkout_sessions.settle(world, intent=intent_id, invoice=invoice["id"] if invoice else None, has_arrived=decline is None)
    if invoice is None or invoice["status"] != "open":
        return
    if decline is None:
        settle(world, invoice["id"])
    else:
        _after_failure(world, invoice["id"], subscription_of(world, invoice), decline, is_retry=False)


def subscription_of(world: World, invoice: Object) -> Object | None:
    """Return the subscription of an invoice, or None when it stands alone."""
    return world.store.find(subscriptions.KIND, invoices.subscription_id(invoice))


def after_payment(world: World, invoice_id: str) -> None:
    """Let the subscription follow a paid invoice: incomplete becomes active or trialing; past due and unpaid become active again."""
    agenda.cancel(world, RETRY, invoice_id)
    world.store.remove(DUNNING, invoice_id)
    agenda.cancel(world, OVERDUE, invoice_id)
    from . import pending_update  # it collects, too

    pending_update.follow(world, invoice_id)
    invoice = world.store.get(invoices.KIND, invoice_id)
    subscription = subscription_of(world, invoice)
    _let_begin(world, subscription)
    if subscription and subscription["status"] in ("past_due", "unpaid") and not _owed(world, subscription):
        subscriptions.change(world, subscription["id"], status="active")
    _note_delinquency(world, invoice["customer"])


def _let_begin(world: World, subscription: Object | None) -> None:
    if subscription and subscription["status"] == "incomplete":
        agenda.cancel(world, EXPIRE_INCOMPLETE, subscription["id"])
        subscriptions.change(world, subscription["id"], status="active")


def become_overdue(world: World, invoice_id: str) -> None:
    """A sent invoice passes its due date unpaid: its subscription is past due."""
    invoice = world.store.get(invoices.KIND, invoice_id)
    if invoice["status"] != "open":
        return
    events.emit(world, "invoice.overdue", invoice)
    subscription = subscription_of(world, invoice)
    if subscription and subscription["status"] == "active":
        subscriptions.change(world, subscription["id"], status="past_due")


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


def _after_failure(world: World, invoice_id: str, subscription: Object | None, decline: Decline, *, is_retry: bool) -> None:
    auto_advance = world.store.get(invoices.KIND, invoice_id)["auto_advance"]
    is_dunned = subscription["status"] in ("active", "trialing", "past_due") if subscription else auto_advance
    if world.store.find(PENDING_UPDATE, invoice_id):
        is_dunned = False
    next_attempt = _plan_retry(world, invoice_id, is_retry=is_retry) if is_dunned else None
    invoices.note_failure(world, invoice_id, next_attempt=next_attempt, needs_action=decline is AUTHENTICATION)
    if is_dunned and next_attempt is not None:
        if subscription:
            subscriptions.change(world, subscription["id"], status="past_due")
    elif is_dunned:
        _end_dunning(world, invoice_id, subscription)
    customer = world.store.get(customers.KIND, world.store.get(invoices.KIND, invoice_id)["customer"])
    if not customer["delinquent"]:
        customers.change(world, customer["id"], delinquent=True)


def _plan_retry(world: World, invoice_id: str, *, is_retry: bool) -> int | None:
    dunning = world.store.find(DUNNING, invoice_id) or {"id": invoice_id, "failed_at": world.now, "tried": 0}
    tried = dunning["tried"] + (1 if is_retry else 0)
    world.store.replace(DUNNING, {**dunning, "tried": tried})
    if tried >= len(world.settings.retry_days):
        return None
    at: int = int(dunning["failed_at"]) + world.settings.retry_days[tried] * DAY_S
    agenda.plan(world, RETRY, invoice_id, at=at)
    return at


def _end_dunning(world: World, invoice_id: str, subscription: Object | None) -> None:
    invoices.change(world, invoice_id, auto_advance=False)
    if subscription is None:
        return
    subscription_id = str(subscription["id"])
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
