"""Changes of what a subscription sells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What one item of a subscription shall be; `quantity` is None where a meter counts."""

    subscription: str
    item: str
    price: str
    quantity: int | None


@dataclass(frozen=True, kw_only=True)
class PreviewLine:
    """One line of an invoice that does not exist: what for, how much (a credit is below 0), and for which time."""

    description: str
    amount_minor: int
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class PreviewedInvoice:
    """An invoice that a change would bring: `total_minor` may be below 0, `due_minor` is what would be taken from the card."""

    total_minor: int
    due_minor: int
    currency: str
    lines: tuple[PreviewLine, ...]


class ChangesGateway(Protocol):
    """Previews of changes, and making them."""

    def preview_change(self, wanted: Wanted, *, prorated_at: datetime | None) -> PreviewedInvoice:
        """The invoice of a change made at that moment; None: the first whole invoice after the change, without what is left of now."""

    def change_now(self, wanted: Wanted, *, prorated_at: datetime, key: str) -> None:
        """Change and bill the difference; if that cannot be paid at once nothing changes, and the change waits for the payment."""

    def change_later(self, wanted: Wanted, *, interval: str, schedule: str | None, discounts: Sequence[str], key: str) -> None:
        """Let the item become that when its period ends.

        Args:
            interval: of the new price.
            schedule: the one that governs the subscription already.
            discounts: those that run, to be kept.
        """

    def set_quantity(self, wanted: Wanted, *, key: str) -> None:
        """Set an item's quantity; the difference is on the next invoice."""
