"""Invoices: what is asked for, from draft to paid. Totals are the sums of the lines; nothing else moves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InvalidRequest
from ..objects import Object, listing
from ..world import World
from . import (
    automatic_tax,
    balance_transactions,
    customers,
    discounts,
    events,
    invoice_lines,
    invoice_payments,
    invoice_sums,
    payment_intents,
    platform_terms,
)
from .invoice_lines import Line

KIND = "invoice"
DAY_S = 86400
DESCRIPTIONS = {"manual": "Payment for Invoice", "subscription_create": "Subscription creation"}
# What is worked out from the lines and the customer's balance.
MONEY = (
    "amount_due", "amount_paid", "amount_remaining", "ending_balance", "starting_balance", "subtotal", "subtotal_excluding_tax", "total",
    "total_discount_amounts", "total_excluding_tax", "total_pretax_credit_amounts", "total_taxes",
)  # fmt: skip


def draft(
    world: World, billed: Object, lines: Sequence[Line], *, reason: str, period: tuple[int, int], auto_advance: bool = True, **values: Any
) -> Object:
    """Add a draft with its lines and emit invoice.created; `values` are fields that differ from the usual."""
    built = build(world, billed, lines, reason=reason, period=period, invoice_id=world.new_id("in"))
    invoice = world.store.add(KIND, {**built, "auto_advance": auto_advance, **values})
    events.emit(world, "invoice.created", invoice)
    return invoice


def build(world: World, billed: Object, lines: Sequence[Line], *, reason: str, period: tuple[int, int], invoice_id: str) -> Object:
    """Return a draft invoice without keeping it (a preview is just that).

    Args:
        billed: the subscription, or what `standalone` returns for an invoice without one.
    """
    customer = world.store.get(customers.KIND, billed["customer"])
    rates = billed["default_tax_rates"] or automatic_tax.rates(world, customer, billed["automatic_tax"])
    cuts = discounts.cuts(world, billed["discounts"], currency=billed["currency"])
    taxed = [line.taxed([each["id"] for each in rates]) for line in lines]
    metadata = billed["metadata"] if billed["id"] else {}
    shown = invoice_lines.build_all(world, taxed, cuts=cuts, invoice_id=invoice_id, metadata=metadata)
    totals = invoice_sums.sums(shown)
    return {
        **_blank(world, customer),
        "id": invoice_id,
        "object": "invoice",
        **totals,
        **invoice_sums.dues(total=totals["total"], balance=customer["balance"]),
        "automatic_tax": automatic_tax.shown(billed["automatic_tax"]),
        "billing_reason": reason,
        "collection_method": billed["collection_method"],
        "created": world.now,
        "currency": billed["currency"],
        "default_tax_rates": billed["default_tax_rates"],
        "discounts": [cut.discount for cut in cuts],
        "due_date": None if billed["days_until_due"] is None else world.now + billed["days_until_due"] * DAY_S,
        "lines": listing(shown, url=f"/v1/invoices/{invoice_id}/lines"),
        "parent": _parent(billed),
        "period_end": period[1],
        "period_start": period[0],
        "status": "draft",
    }


def standalone(customer_id: str, *, currency: str, **values: Any) -> Object:
    """Return what an invoice without a subscription is made from."""
    return {
        "id": None,
        "automatic_tax": {"enabled": False},
        "collection_method": "charge_automatically",
        "currency": currency,
        "customer": customer_id,
        "days_until_due": None,
        "default_tax_rates": [],
        "discounts": [],
        "metadata": {},
        **values,
    }


def finalize(world: World, invoice_id: str) -> Object:
    """Number a draft, use the customer's balance, and open it with a payment intent; with nothing due it is paid at once.

    Raises:
        InvalidRequest: it is no draft.
    """
    before = _in_status(world, invoice_id, "draft", verb="finalized")
    customer = world.store.get(customers.KIND, before["customer"])
    total, balance = before["total"], customer["balance"]
    facts = invoice_sums.dues(total=total, balance=balance)
    invoice = world.store.change(
        KIND,
        invoice_id,
        **{**facts, "ending_balance": total + balance - facts["amount_due"]},
        automatically_finalizes_at=None,
        effective_at=world.now,
        hosted_invoice_url=world.url(f"/invoice/{invoice_id}"),
        invoice_pdf=world.url(f"/invoice/{invoice_id}/pdf"),
        number=customers.take_invoice_number(world, customer["id"]),
        status="open",
        status_transitions={**before["status_transitions"], "finalized_at": world.now},
    )
    customers.change(world, customer["id"], currency=invoice["currency"])
    if used := invoice["ending_balance"] - balance:
        applied = {"kind": "applied_to_invoice", "currency": invoice["currency"], "invoice": invoice_id}
        balance_transactions.move(world, customer["id"], used, **applied)
    if invoice["amount_due"] > 0:
        description = DESCRIPTIONS.get(invoice["billing_reason"], "Subscription update")
        terms = platform_terms.of(world, world.store.find("subscription", subscription_id(invoice)), invoice)
        intent = payment_intents.create(
            world, amount=invoice["amount_due"], currency=invoice["currency"], customer=customer["id"], description=description, **terms
        )
        invoice_payments.create(world, invoice, intent)
    events.emit(world, "invoice.finalized", invoice)
    return invoice if invoice["amount_due"] > 0 else mark_paid(world, invoice_id)


def mark_paid(world: World, invoice_id: str, *, is_off_stripe: bool = False) -> Object:
    """Close an open invoice as paid in full, and emit invoice.paid and invoice.payment_succeeded.

    Args:
        is_off_stripe: the money came another way, so no intent and no charge brought it.
    """
    before = world.store.get(KIND, invoice_id)
    due = before["amount_due"]
    invoice = world.store.change(
        KIND,
        invoice_id,
        amount_paid=due,
        amount_paid_off_stripe=due if is_off_stripe else 0,
        amount_remaining=0,
        attempted=True,
        attempt_count=before["attempt_count"] + (1 if due else 0),
        next_payment_attempt=None,
        auto_advance=False,
        status="paid",
        status_transitions={**before["status_transitions"], "paid_at": world.now},
    )
    payment = invoice_payments.of(world, invoice_id)
    if payment is not None and is_off_stripe:
        invoice_payments.cancel(world, payment)
        payment_intents.cancel(world, payment["payment"]["payment_intent"])
    elif payment is not None and due:
        invoice_payments.mark_paid(world, payment)
    events.emit(world, "invoice.updated", invoice, before=before)
    events.emit(world, "invoice.paid", invoice)
    events.emit(world, "invoice.payment_succeeded", invoice)
    return invoice


def note_failure(world: World, invoice_id: str, *, next_attempt: int | None, needs_action: bool) -> Object:
    """Record a failed attempt and when the next one is, and emit invoice.payment_failed."""
    before = world.store.get(KIND, invoice_id)
    invoice = world.store.change(
        KIND, invoice_id, attempted=True, attempt_count=before["attempt_count"] + 1, next_payment_attempt=next_attempt
    )
    events.emit(world, "invoice.updated", invoice, before=before)
    events.emit(world, "invoice.payment_failed", invoice)
    if needs_action:
        events.emit(world, "invoice.payment_action_required", invoice)
    return invoice


def mark_uncollectible(world: World, invoice_id: str) -> Object:
    """Write an open invoice off; it can still be paid."""
    before = _in_status(world, invoice_id, "open", verb="marked uncollectible")
    transitions = {**before["status_transitions"], "marked_uncollectible_at": world.now}
    facts = {"status": "uncollectible", "auto_advance": False, "next_payment_attempt": None, "status_transitions": transitions}
    invoice = change(world, invoice_id, **facts)
    events.emit(world, "invoice.marked_uncollectible", invoice)
    return invoice


def void(world: World, invoice_id: str) -> Object:
    """Give up on an open invoice; the customer's balance that it used comes back."""
    before = _in_status(world, invoice_id, "open", "uncollectible", verb="voided")
    used = before["starting_balance"] - before["ending_balance"]
    if used:
        undone = {"kind": "unapplied_from_invoice", "currency": before["currency"], "invoice": invoice_id}
        balance_transactions.move(world, before["customer"], used, **undone)
    transitions = {**before["status_transitions"], "voided_at": world.now}
    invoice = change(world, invoice_id, status="void", auto_advance=False, next_payment_attempt=None, status_transitions=transitions)
    payment = invoice_payments.of(world, invoice_id)
    if payment is not None:
        invoice_payments.cancel(world, payment)
        payment_intents.cancel(world, payment["payment"]["payment_intent"])
    events.emit(world, "invoice.voided", invoice)
    return invoice


def change(world: World, invoice_id: str, **values: Any) -> Object:
    """Replace fields and emit invoice.updated when something differs."""
    before = world.store.get(KIND, invoice_id)
    after = world.store.change(KIND, invoice_id, **values)
    if after != before:
        events.emit(world, "invoice.updated", after, before=before)
    return after


def subscription_id(invoice: Object) -> str | None:
    """Return the subscription an invoice belongs to; None when it stands alone."""
    parent = invoice["parent"]
    return str(parent["subscription_details"]["subscription"]) if parent and parent["subscription_details"] else None


def intent_id(world: World, invoice_id: str) -> str | None:
    """Return the payment intent that pays an invoice, or None."""
    payment = invoice_payments.of(world, invoice_id)
    return payment["payment"]["payment_intent"] if payment else None


def _parent(billed: Object) -> Object | None:
    if billed["id"] is None:
        return None
    details = {"metadata": billed["metadata"], "subscription": billed["id"]}
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def _in_status(world: World, invoice_id: str, *statuses: str, verb: str) -> Object:
    invoice = world.store.get(KIND, invoice_id)
    if invoice["status"] not in statuses:
        raise InvalidRequest(f"This invoice is {invoice['status']}, so it can't be {verb}.", code="invoice_not_editable")
    return invoice


def _blank(world: World, customer: Object) -> Object:
    return {
        "account_country": "FR",
        "account_name": world.settings.business,
        "account_tax_ids": None,
        "amount_overpaid": 0,
        "amount_paid_off_stripe": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatically_finalizes_at": None,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "description": None,
        "effective_at": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "statement_descriptor": None,
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "test_clock": world.test_clock,
        "webhooks_delivered_at": None,
    }
