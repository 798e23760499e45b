"""Who a customer is on its invoices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..details import Address, TaxId


@dataclass(frozen=True, kw_only=True)
class KnownTaxId:
    """A tax id that Stripe has; `state` is its word on checking it: pending, verified, unverified or unavailable."""

    id: str
    tax_id: TaxId
    state: str


class DetailsGateway(Protocol):
    """A customer's name, address, language and tax ids."""

    def update_customer(
        self, customer: str, *, email: str | None, name: str | None, address: Address | None, language: str | None, key: str
    ) -> None:
        """Change what is given; None leaves it."""

    def tax_ids(self, customer: str) -> list[KnownTaxId]:
        """The customer's tax ids."""

    def add_tax_id(self, customer: str, tax_id: TaxId, *, key: str) -> None:
        """Add one. Raises `GatewayRefused` when Stripe cannot read it."""

    def remove_tax_id(self, customer: str, tax_id: str) -> None:
        """Take one away, by its id; one that is gone is as good."""
