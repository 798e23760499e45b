"""Checkout pages for what is bought once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .checkouts import CheckoutPage


@dataclass(frozen=True, kw_only=True)
class PackOffer:
    """How a pack's page is to be; `payment_methods` are kinds of Stripe's, None for what its dashboard allows."""

    success_url: str
    cancel_url: str
    locale: str | None = None
    allow_promotion_codes: bool = False
    payment_methods: tuple[str, ...] | None = None
    taxes: bool = False


class PacksGateway(Protocol):
    """One-off payments."""

    def create_pack_checkout(
        self, *, customer: str, account: str, price: str, pack: str, grants: Mapping[str, int], offer: PackOffer, key: str
    ) -> CheckoutPage:
        """Open a checkout page that sells one pack and says what it grants."""
