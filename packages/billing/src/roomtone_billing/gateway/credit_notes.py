"""Credit notes: what is taken back of an invoice, on paper."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class CreditReason(StrEnum):
    """Why, in the words Stripe knows."""

    duplicate = "duplicate"
    fraudulent = "fraudulent"
    order_change = "order_change"
    product_unsatisfactory = "product_unsatisfactory"


class CreditTo(StrEnum):
    """Where the money of a paid invoice goes."""

    card = "card"  # back to where it came from
    balance = "balance"  # what the coming invoices cost less
    elsewhere = "elsewhere"  # you give it back, outside of Stripe


@dataclass(frozen=True, kw_only=True)
class MadeCreditNote:
    """A credit note at Stripe; `key` is the one it was made under, None if it was not made by us."""

    id: str
    number: str
    amount_minor: int
    currency: str
    pdf_url: str | None
    key: str | None


@dataclass(frozen=True, kw_only=True)
class WantedCredit:
    """A credit note to make; `to` is None for an invoice that is not paid yet."""

    invoice: str
    amount_minor: int
    to: CreditTo | None
    reason: CreditReason | None
    memo: str | None


class CreditNotesGateway(Protocol):
    """Credit notes of one invoice."""

    def credit_notes(self, invoice: str) -> list[MadeCreditNote]:
        """The newest 100 credit notes of the invoice that are not void."""

    def create_credit_note(self, wanted: WantedCredit, *, key: str) -> MadeCreditNote:
        """Make one. Raises `GatewayRefused` when less is left, or a part is wanted of an invoice with taxes or discounts."""
