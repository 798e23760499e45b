"""An account's invoices, to show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .credit_note import CreditNote
from .desk import Desk


@dataclass(frozen=True, kw_only=True)
class InvoiceView:
    """An invoice to show: `amount_minor` in the currency's smallest unit, `status` as Stripe says, pages at Stripe or None.

    Of `amount_minor` no more than `payable_minor` is or was to be paid: credit notes may have lowered it. `returned_minor` went back.
    """

    id: str
    number: str | None
    amount_minor: int
    payable_minor: int
    returned_minor: int
    currency: str
    status: str
    created_at: datetime
    hosted_url: str | None
    pdf_url: str | None
    credit_notes: tuple[CreditNote, ...] = ()


def listed(desk: Desk, limit: int) -> list[InvoiceView]:
    """The newest invoices of the last snapshot that are not drafts, newest first."""
    truth = desk.truth()
    if truth is None:
        return []
    newest = sorted((one for one in truth.invoices if one.status != "draft"), key=lambda one: (one.created_at, one.id), reverse=True)
    return [
        InvoiceView(
            id=one.id,
            number=one.number,
            amount_minor=one.amount_minor,
            payable_minor=one.payable_minor,
            returned_minor=min(truth.refunded(one), one.payable_minor),
            currency=one.currency,
            status=one.status,
            created_at=one.created_at,
            hosted_url=one.hosted_url,
            pdf_url=one.pdf_url,
            credit_notes=tuple(each for each in truth.credit_notes if each.invoice == one.id),
        )
        for one in newest[:limit]
    ]
