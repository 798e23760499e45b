"""Money that goes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class RefundReason(StrEnum):
    """Why, in the words Stripe knows."""

    duplicate = "duplicate"
    fraudulent = "fraudulent"
    requested_by_customer = "requested_by_customer"


@dataclass(frozen=True, kw_only=True)
class MadeRefund:
    """A refund at Stripe; `key` is the one it was made under, None if it was not made by us."""

    id: str
    amount_minor: int
    currency: str
    status: str
    key: str | None


class RefundsGateway(Protocol):
    """Refunds of one payment."""

    def refunds(self, payment: str) -> list[MadeRefund]:
        """The newest 100 refunds of the payment."""

    def create_refund(self, *, payment: str, amount_minor: int, reason: RefundReason | None, key: str) -> MadeRefund:
        """Give back a part of a payment. Raises `GatewayRefused` when less than that is left of it, or it is disputed."""
