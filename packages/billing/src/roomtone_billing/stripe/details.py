"""Who a customer is on its invoices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..details import Address, TaxId
from ..errors import GatewayRefused
from ..gateway.details import KnownTaxId
from .connection import PAGE_MAX, Connection, asking, plain


class StripeDetails(Connection):
    """Name, address, language and tax ids of customers."""

    def update_customer(
        self, customer: str, *, email: str | None, name: str | None, address: Address | None, language: str | None, key: str
    ) -> None:
        """Change what is given; an address is replaced whole."""
        params: Any = {name: value for name, value in {"email": email, "name": name}.items() if value is not None}  # Any: the SDK's type
        if address is not None:
            params["address"] = {field: value or "" for field, value in asdict(address).items()}
        if language is not None:
            params["preferred_locales"] = [language]
        if params:
            with asking():
                self._client.customers.update(customer, params, {"idempotency_key": key})

    def tax_ids(self, customer: str) -> list[KnownTaxId]:
        """The newest 100; a customer has a handful."""
        with asking():
            return [
                KnownTaxId(
                    id=one["id"],
                    tax_id=TaxId(kind=one["type"], value=one["value"]),
                    state=(one.get("verification") or {}).get("status") or "unavailable",
                )
                for one in plain(self._client.customers.tax_ids.list(customer, {"limit": PAGE_MAX}).data)
            ]

    def add_tax_id(self, customer: str, tax_id: TaxId, *, key: str) -> None:
        """Add one; Stripe checks it with the authorities later."""
        params: Any = {"type": tax_id.kind, "value": tax_id.value}  # Any: the SDK wants the kind as one of its literals
        with asking():
            self._client.customers.tax_ids.create(customer, params, {"idempotency_key": key})

    def remove_tax_id(self, customer: str, tax_id: str) -> None:
        """Delete it."""
        try:
            with asking():
                self._client.customers.tax_ids.delete(customer, tax_id)
        except GatewayRefused as error:
            if error.code != "resource_missing":
                raise
