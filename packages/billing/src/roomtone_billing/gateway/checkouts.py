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
        self,
        *,
        customer: str,
        account: str,
        price: str,
        success_url: str,
        cancel_url: str,
        locale: str | None,
        key: str,
        quantity: int = 1,
        promotion_code: str | None = None,
        allow_promotion_codes: bool = False,
        taxes: bool = False,
    ) -> CheckoutPage:
        """Open a checkout page for a subscription; with a code in place, customers can type no other. With `taxes` Stripe adds them."""

    def expire_checkout(self, checkout: str) -> None:
        """Close a checkout page. Raises `GatewayRefused` when it is no longer open: paid, or expired."""

    def create_portal(self, *, customer: str, return_url: str, locale: str | None, configuration: str | None = None) -> str:
        """Open the customer's portal, in that configuration or the dashboard's; returns its address."""
