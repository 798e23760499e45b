"""What billing needs of Stripe, as a protocol; `roomtone_billing.stripe` has the one that speaks to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .plans import Interval
from .snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class CustomerOwner:
    """Whose customer it is, by the metadata written when it was made; both None for somebody else's."""

    account: str | None
    token: str | None


@dataclass(frozen=True, kw_only=True)
class CheckoutPage:
    """An open checkout: its id at Stripe and its address."""

    id: str
    url: str


@dataclass(frozen=True, kw_only=True)
class PublishedPrice:
    """An active price at Stripe that carries one of our lookup keys."""

    id: str
    lookup_key: str
    product: str
    amount_minor: int
    currency: str
    interval: Interval | None


class Gateway(Protocol):
    """The outside world. Every method raises `GatewayUnavailable` (passing) or `GatewayRefused` (lasting).

    Writes take a `key`: the same key makes the same object once, however often it is sent within a day.
    """

    @property
    def webhook_secrets(self) -> Sequence[str]:
        """The signing secrets accepted now: more than one while rotating."""

    @property
    def livemode(self) -> bool:
        """Whether money is real; events of the other mode are put aside."""

    def fetch(self, customer: str) -> Snapshot:
        """The customer's truth, now. Raises `MalformedTruth` when it cannot be read."""

    def owner(self, customer: str) -> CustomerOwner:
        """Whose customer it is."""

    def create_customer(self, *, account: str, token: str, email: str, name: str, key: str) -> str:
        """Make the account's customer; returns its id."""

    def create_checkout(
        self, *, customer: str, account: str, price: str, success_url: str, cancel_url: str, locale: str | None, key: str
    ) -> CheckoutPage:
        """Open a checkout page for a subscription."""

    def expire_checkout(self, checkout: str) -> None:
        """Close a checkout page. Raises `GatewayRefused` when it is no longer open: paid, or expired."""

    def create_portal(self, *, customer: str, return_url: str, locale: str | None) -> str:
        """Open the customer's portal; returns its address."""

    def prices(self, lookup_keys: Sequence[str]) -> list[PublishedPrice]:
        """The active prices with these lookup keys."""

    def products(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of the products that exist, by id."""

    def put_product(self, *, id: str, name: str, is_new: bool) -> None:  # noqa: A002 the word of the API
        """Make or rename a product."""

    def create_price(
        self, *, product: str, plan: str, lookup_key: str, interval: Interval, amount_minor: int, currency: str, key: str
    ) -> str:
        """Make a price and give it the lookup key, taking the key from whichever price had it; returns its id."""
