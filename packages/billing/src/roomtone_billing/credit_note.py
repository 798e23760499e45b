"""What is taken back of an invoice, on paper."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class CreditNote:
    """One credit note; before its invoice was paid it lowers what is due, afterwards it gives back.

    `refunded_minor` is what of it went back to the card; the rest is balance for coming invoices, or was paid back elsewhere.
    """

    id: str
    invoice: str
    number: str
    amount_minor: int
    currency: str
    is_after_payment: bool
    refunded_minor: int
    created_at: datetime
    pdf_url: str | None = None
    memo: str | None = None
