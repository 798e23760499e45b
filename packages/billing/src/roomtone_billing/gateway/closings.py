"""What must be over at Stripe before an account is closed."""

from __future__ import annotations

from typing import Protocol


class ClosingsGateway(Protocol):
    """What is alive of a customer, and its deletion."""

    def open_checkouts(self, customer: str) -> list[str]:
        """The ids of the checkout pages that could still be paid."""

    def living_subscriptions(self, customer: str) -> list[str]:
        """The ids of the subscriptions that have not ended."""

    def delete_customer(self, customer: str) -> None:
        """Delete the customer and its cards; its invoices stay at Stripe. One that is gone already is as good."""
