"""What must be over at Stripe before an account is closed."""

from __future__ import annotations

from ..errors import GatewayRefused
from .connection import PAGE_MAX, Connection, asking

_GONE = "resource_missing"


class StripeClosings(Connection):
    """What is alive of a customer, and its deletion."""

    def open_checkouts(self, customer: str) -> list[str]:
        """The newest 100 open Checkout sessions; who closes them asks again until there are none."""
        with asking():
            return [one.id for one in self._client.checkout.sessions.list({"customer": customer, "status": "open", "limit": PAGE_MAX}).data]

    def living_subscriptions(self, customer: str) -> list[str]:
        """The newest 100 subscriptions that are not canceled: Stripe lists those by default."""
        with asking():
            found = self._client.subscriptions.list({"customer": customer, "limit": PAGE_MAX}).data
            return [one.id for one in found if one.status not in {"canceled", "incomplete_expired"}]

    def delete_customer(self, customer: str) -> None:
        """Delete the customer; Stripe would cancel its subscriptions, too."""
        try:
            with asking():
                self._client.customers.delete(customer)
        except GatewayRefused as error:
            if error.code != _GONE:
                raise
