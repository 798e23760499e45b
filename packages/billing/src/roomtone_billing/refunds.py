"""Giving money back: never more than was taken, and under one key once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .desk import Desk
from .errors import GatewayRefused, KeyReused, RefundRefused, UnknownPayment
from .gateway import MadeRefund, RefundReason
from .snapshot import Payment, Snapshot


@dataclass(frozen=True, kw_only=True)
class PaymentView:
    """Money an account paid, and what went back of it by refunds and lost disputes, in the currency's smallest unit.

    `invoice` is the number of the invoice it paid, `pack` the key of the pack it bought; either may be None. `refundable_minor`
    is what can still go back; nothing while it `is_disputed`.
    """

    id: str
    amount_minor: int
    refunded_minor: int
    currency: str
    created_at: datetime | None
    invoice: str | None
    pack: str | None
    is_disputed: bool = False
    refundable_minor: int = 0


def payments(desk: Desk, limit: int) -> list[PaymentView]:
    """The newest payments of the last snapshot, newest first."""
    truth = desk.truth()
    return [_view(truth, one) for one in truth.payments[:limit]] if truth else []


def refund(desk: Desk, payment: str, *, amount_minor: int | None, reason: RefundReason | None, key: str) -> MadeRefund:
    """Give money back; as `Account.refund` says."""
    desk.known_customer()
    desk.sync()
    truth = desk.truth()
    found = truth.payment(payment) if truth else None
    if truth is None or found is None:
        raise UnknownPayment(desk.account, payment)
    made = next((one for one in desk.gateway.refunds(payment) if one.key == key), None)
    if made is not None:
        return _same(made, amount_minor, key)
    left = _left(truth, found)
    wanted = left if amount_minor is None else amount_minor
    if not 0 < wanted <= left:
        raise RefundRefused(payment, wanted, left)
    try:
        made = desk.gateway.create_refund(payment=payment, amount_minor=wanted, reason=reason, key=key)
    except GatewayRefused as error:
        raise RefundRefused(payment, wanted, left, reason=error.reason) from error
    desk.sync()
    return made


def _left(truth: Snapshot, payment: Payment) -> int:
    """What of a payment was not given back, in whatever way: a credit note may have done it without a refund."""
    left = payment.amount_minor - truth.returned(payment)
    invoice = next((one for one in truth.invoices if payment.id in one.payments), None)
    return left if invoice is None else max(min(left, invoice.payable_minor - truth.refunded(invoice)), 0)


def _same(made: MadeRefund, amount_minor: int | None, key: str) -> MadeRefund:
    if amount_minor not in {None, made.amount_minor}:
        raise KeyReused(key, before=f"a refund of {made.amount_minor}", now=f"one of {amount_minor}")
    return made


def _view(truth: Snapshot, one: Payment) -> PaymentView:
    invoice = next((each for each in truth.invoices if one.id in each.payments), None)
    purchase = next((each for each in truth.purchases if each.payment == one.id), None)
    is_disputed = any(each.payment == one.id and not each.state.is_over for each in truth.disputes)
    return PaymentView(
        id=one.id,
        amount_minor=one.amount_minor,
        refunded_minor=truth.returned(one),
        refundable_minor=0 if is_disputed else _left(truth, one),
        currency=one.currency,
        created_at=one.created_at,
        is_disputed=is_disputed,
        invoice=invoice.number if invoice else None,
        pack=purchase.pack if purchase else None,
    )
