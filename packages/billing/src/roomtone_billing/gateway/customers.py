"""Customers at Stripe and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class CustomerOwner:
    """Whose customer it is, by the metadata written when it was made; both None for somebody else's."""

    account: str | None
    token: str | None


class CustomersGateway(Protocol):
    """Customers, and all that is true of one."""

    def fetch(self, customer: str) -> Snapshot:
        """The customer's truth, now. Raises `MalformedTruth` when it cannot be read."""

    def owner(self, customer: str) -> CustomerOwner:
        """Whose customer it is."""

    def create_customer(self, *, account: str, token: str, email: str, name: str, key: str) -> str:
        """Make the account's customer; returns its id."""
