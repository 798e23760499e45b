"""The pages at Stripe that customers are sent to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class CheckoutPage:
    """An open checkout: its id at Stripe and its address."""

    id: str
    url: str


class CheckoutsGateway(Protocol):
    """Checkout pages and the portal."""

    def create_checkout(
        self, *, customer: str, account: str, price: str, success_url: str, cancel_url: str, locale: str | None, key: str
    ) -> CheckoutPage:
        """Open a checkout page for a subscription."""

    def expire_checkout(self, checkout: str) -> None:
        """Close a checkout page. Raises `GatewayRefused` when it is no longer open: paid, or expired."""

    def create_portal(self, *, customer: str, return_url: str, locale: str | None) -> str:
        """Open the customer's portal; returns its address."""
