"""Promotion codes at Stripe, and what they take off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class PromotionCode:
    """A code and what it asks for; `minimum_minor` is in `minimum_currency`, `customer` the only one who may use it."""

    id: str
    is_active: bool
    expires_at: datetime | None
    redemptions_max: int | None
    redemptions: int
    minimum_minor: int | None
    minimum_currency: str | None
    is_for_first_purchase: bool
    customer: str | None


class DiscountsGateway(Protocol):
    """Codes, and the discounts of a subscription."""

    def promotion_code(self, code: str) -> PromotionCode | None:
        """The code with these letters: the active one, else the newest; None when there never was one."""

    def set_discounts(self, subscription: str, *, kept: Sequence[str], code: str | None, key: str) -> None:
        """Let a subscription have these discounts and a promotion code's, and no others. Raises `GatewayRefused` for a bad code."""
