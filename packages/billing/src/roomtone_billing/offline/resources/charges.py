"""Charges: one attempt to take money from a card."""

from __future__ import annotations

from ..cards import Decline
from ..objects import Object, emptied, merged_metadata
from ..world import World
from . import events

KIND = "charge"


def create(
    world: World,
    intent: Object,
    method: Object,
    *,
    decline: Decline | None,
    was_authenticated: bool,
    is_reserved: bool = False,
    is_pending: bool = False,
) -> Object:
    """Record an attempt and emit charge.succeeded, charge.pending or charge.failed.

    Args:
        is_reserved: the money is reserved only, to be captured later.
        is_pending: a bank debit, whose outcome comes later.
    """
    paid = decline is None and not is_pending
    taken = paid and not is_reserved
    amount = intent["amount"]
    charge = world.store.add(
        KIND,
        {
            "id": world.new_id("ch"),
            "object": "charge",
            "amount": amount,
            "amount_captured": amount if taken or is_pending else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": intent["application_fee_amount"],
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": world.settings.business.upper()[:22],
            "captured": taken or is_pending,
            "created": world.now,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": decline.code if decline else None,
            "failure_message": decline.message if decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": intent["metadata"],
            "on_behalf_of": None,
            "outcome": _outcome(decline),
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _details(method, amount, was_authenticated=was_authenticated),
            "receipt_email": None,
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "pending" if is_pending else ("succeeded" if paid else "failed"),
            "transfer_data": intent["transfer_data"],
            "transfer_group": intent["transfer_group"],
        },
    )
    events.emit(world, "charge.pending" if is_pending else ("charge.succeeded" if paid else "charge.failed"), charge)
    return charge


def settle(world: World, charge_id: str, *, decline: Decline | None) -> Object:
    """Let a pending debit arrive, or come back."""
    facts: Object = {"status": "succeeded", "paid": True}
    if decline is not None:
        facts = {"status": "failed", "captured": False, "amount_captured": 0, "outcome": _outcome(decline)}
        facts |= {"failure_code": decline.code, "failure_message": decline.message}
    charge = world.store.change(KIND, charge_id, **facts)
    events.emit(world, "charge.succeeded" if decline is None else "charge.failed", charge)
    return charge


def capture(world: World, charge_id: str, amount: int) -> Object:
    """Take reserved money, all or a part; the rest is released."""
    before = world.store.get(KIND, charge_id)
    released = before["amount"] - amount
    charge = world.store.change(KIND, charge_id, captured=True, amount_captured=amount, amount_refunded=released, refunded=amount == 0)
    events.emit(world, "charge.captured", charge, before=before)
    return charge


def note_refund(world: World, charge_id: str, amount: int) -> Object:
    """Count an amount as given back and emit charge.refunded."""
    before = world.store.get(KIND, charge_id)
    back = before["amount_refunded"] + amount
    charge = world.store.change(KIND, charge_id, amount_refunded=back, refunded=back == before["amount"])
    events.emit(world, "charge.refunded", charge, before=before)
    return charge


def update(world: World, charge_id: str, params: Object) -> Object:
    """Change what somebody noted at it; emits charge.updated when something differs."""
    before = world.store.get(KIND, charge_id)
    given = {name: emptied(params[name]) for name in ("description",) if name in params}
    charge = world.store.change(KIND, charge_id, **given, metadata=merged_metadata(before["metadata"], params.get("metadata")))
    if charge != before:
        events.emit(world, "charge.updated", charge, before=before)
    return charge


def release(world: World, charge_id: str) -> Object:
    """Give reserved money back."""
    before = world.store.get(KIND, charge_id)
    charge = world.store.change(KIND, charge_id, amount_refunded=before["amount"], refunded=True)
    events.emit(world, "charge.refunded", charge, before=before)
    return charge


def _details(method: Object, amount: int, *, was_authenticated: bool) -> Object:
    if method["type"] == "card":
        return {"type": "card", "card": _card(method["card"], amount, was_authenticated=was_authenticated)}
    shown = ("bank_code", "branch_code", "country", "fingerprint", "last4")
    return {"type": "sepa_debit", "sepa_debit": {**{name: method["sepa_debit"][name] for name in shown}, "mandate": None}}


def _outcome(decline: Decline | None) -> Object:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": decline.decline_code if decline else None,
        "risk_level": "normal",
        "risk_score": 10,
        "seller_message": "The bank did not return any further details with this decline." if decline else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }


def _card(card: Object, amount: int, *, was_authenticated: bool) -> Object:
    secure = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "regulated_status", "wallet")
    return {
        **{name: card[name] for name in shown},
        "amount_authorized": amount,
        "authorization_code": None,
        "installments": None,
        "mandate": None,
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "three_d_secure": secure if was_authenticated else None,
        "transaction_link_id": None,
    }
