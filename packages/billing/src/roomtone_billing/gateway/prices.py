"""Products and prices at Stripe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..plans import Interval


@dataclass(frozen=True, kw_only=True)
class PublishedPrice:
    """An active price at Stripe that carries one of our lookup keys."""

    id: str
    lookup_key: str
    product: str
    amount_minor: int
    currency: str
    interval: Interval | None
    is_one_off: bool = False


@dataclass(frozen=True, kw_only=True)
class PublishedProduct:
    """A product at Stripe; one that is not active cannot be bought."""

    name: str
    is_active: bool = True


class PricesGateway(Protocol):
    """What is sold, as Stripe has it."""

    def prices(self, lookup_keys: Sequence[str]) -> list[PublishedPrice]:
        """The active prices with these lookup keys."""

    def products(self, ids: Sequence[str]) -> dict[str, PublishedProduct]:
        """The products that exist, by id."""

    def is_subscribed_to(self, price: str) -> bool:
        """Whether anybody has a subscription on the price that has not ended."""

    def put_product(self, *, id: str, name: str, is_new: bool, is_active: bool | None = None) -> None:  # noqa: A002 the word of the API
        """Make or rename a product, and put it on sale or take it off (None: leave it)."""

    def create_price(
        self,
        *,
        product: str,
        lookup_key: str,
        interval: Interval | None,
        amount_minor: int,
        currency: str,
        metadata: Mapping[str, str],
        key: str,
    ) -> str:
        """Make a price (for buying once, without an interval) and give it the lookup key, taking the key from whichever price had it;
        returns its id."""
