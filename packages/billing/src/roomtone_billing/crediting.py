"""Taking back what an invoice asks for or brought: never more than that, and under one key once."""

from __future__ import annotations

from . import lifecycle
from .desk import Desk
from .errors import CreditRefused, GatewayRefused, KeyReused, UnknownInvoice
from .gateway import CreditReason, CreditTo, MadeCreditNote, WantedCredit
from .snapshot import Invoice, Snapshot


def credit(
    desk: Desk, invoice: str, *, amount_minor: int | None, to: CreditTo, reason: CreditReason | None, memo: str | None, key: str
) -> MadeCreditNote:
    """As `Account.credit_note` says."""
    desk.known_customer()
    desk.sync()
    truth = desk.truth()
    found = next((one for one in truth.invoices if invoice in {one.id, one.number}), None) if truth else None
    if truth is None or found is None:
        raise UnknownInvoice(desk.account, invoice)
    made = next((one for one in desk.gateway.credit_notes(found.id) if one.key == key), None)
    if made is not None:
        return _same(made, amount_minor, key)
    left = _left(truth, found)
    wanted = left if amount_minor is None else amount_minor
    if not 0 < wanted <= left:
        raise CreditRefused(invoice, wanted, left)
    way = to if found.status == "paid" else None
    try:
        made = desk.gateway.create_credit_note(
            WantedCredit(invoice=found.id, amount_minor=wanted, to=way, reason=reason, memo=memo), key=key
        )
    except GatewayRefused as error:
        raise CreditRefused(invoice, wanted, left, reason=error.reason) from error
    lifecycle.note(desk, "credit_note", reason=memo, invoice=found.number, number=made.number, amount_minor=wanted)
    desk.sync()
    return made


def _left(truth: Snapshot, invoice: Invoice) -> int:
    if invoice.status == "open":
        return invoice.payable_minor
    return max(invoice.payable_minor - truth.refunded(invoice), 0) if invoice.status == "paid" else 0


def _same(made: MadeCreditNote, amount_minor: int | None, key: str) -> MadeCreditNote:
    if amount_minor not in {None, made.amount_minor}:
        raise KeyReused(key, before=f"a credit note of {made.amount_minor}", now=f"one of {amount_minor}")
    return made
