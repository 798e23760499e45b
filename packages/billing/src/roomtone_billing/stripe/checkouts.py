"""The pages at Stripe that customers are sent to."""

from __future__ import annotations

from typing import Any

from ..errors import MalformedTruth
from ..gateway import CheckoutPage
from .connection import Connection, asking


class StripeCheckouts(Connection):
    """Checkout sessions and portal sessions."""

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
        """Open a Checkout session that sells one subscription."""
        params: Any = {  # Any: the SDK wants the locale as one of its literals; Stripe checks it
            "mode": "subscription",
            "customer": customer,
            "client_reference_id": account,
            "line_items": [{"price": price, "quantity": quantity}],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": {"account": account},
            "subscription_data": {"metadata": {"account": account}},
        }
        if taxes:
            params["automatic_tax"] = {"enabled": True}
        if locale is not None:
            params["locale"] = locale
        if promotion_code is not None:
            params["discounts"] = [{"promotion_code": promotion_code}]
        elif allow_promotion_codes:
            params["allow_promotion_codes"] = True
        with asking():
            made = self._client.checkout.sessions.create(params, {"idempotency_key": key})
        if made.url is None:
            raise MalformedTruth(f"checkout session {made.id}", "it has no url")
        return CheckoutPage(id=made.id, url=made.url)

    def expire_checkout(self, checkout: str) -> None:
        """Expire a Checkout session; refused when it is complete or expired."""
        with asking():
            self._client.checkout.sessions.expire(checkout)

    def create_portal(self, *, customer: str, return_url: str, locale: str | None, configuration: str | None = None) -> str:
        """Open a portal session, by default in the account's default configuration; returns its address."""
        params: Any = {"customer": customer, "return_url": return_url}  # Any: as for the checkout's locale
        if locale is not None:
            params["locale"] = locale
        if configuration is not None:
            params["configuration"] = configuration
        with asking():
            return self._client.billing_portal.sessions.create(params).url
