"""A payment that its cardholder takes back through the bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DisputeState(StrEnum):
    """Where a dispute stands."""

    inquiry = "inquiry"  # the bank asks; no money has moved
    open = "open"  # the bank has taken the money back until it is decided
    won = "won"
    lost = "lost"
    dropped = "dropped"  # it came to nothing, or a refund settled it before it began

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of it."""
        return self not in {DisputeState.inquiry, DisputeState.open}


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """One dispute; `payment` is that of `Payment.id`, `amount_minor` what is in dispute, `reason` the bank's, in Stripe's words.

    `evidence_due_at` is until when the bank can be answered. `forgiven_at` is since when it holds back nothing of the account any more.
    """

    id: str
    payment: str
    amount_minor: int
    currency: str
    reason: str
    state: DisputeState
    created_at: datetime
    evidence_due_at: datetime | None = None
    forgiven_at: datetime | None = None
