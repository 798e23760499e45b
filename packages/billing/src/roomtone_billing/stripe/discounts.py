"""Promotion codes at Stripe, and what they take off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..gateway import PromotionCode
from .connection import Connection, asking, plain


class StripeDiscounts(Connection):
    """Codes, and the discounts of a subscription."""

    def promotion_code(self, code: str) -> PromotionCode | None:
        """Find a code by its letters; used-up and expired ones are listed, too."""
        with asking():
            found = plain(self._client.promotion_codes.list({"code": code, "limit": 100}).data)
            best = max(found, key=lambda one: (one["active"], one["created"]), default=None)
            return _code(best) if best else None

    def set_discounts(self, subscription: str, *, kept: Sequence[str], code: str | None, key: str) -> None:
        """Replace the list of discounts; an empty list is an empty text to the API."""
        wanted = [{"discount": one} for one in kept] + ([{"promotion_code": code}] if code else [])
        params: Any = {"discounts": wanted or ""}
        with asking():
            self._client.subscriptions.update(subscription, params, {"idempotency_key": key})


def _code(thing: Mapping[str, Any]) -> PromotionCode:
    rules = thing.get("restrictions") or {}
    customer = thing.get("customer")
    return PromotionCode(
        id=thing["id"],
        is_active=thing["active"],
        expires_at=datetime.fromtimestamp(thing["expires_at"], UTC) if thing.get("expires_at") else None,
        redemptions_max=thing.get("max_redemptions"),
        redemptions=thing["times_redeemed"],
        minimum_minor=rules.get("minimum_amount"),
        minimum_currency=(rules.get("minimum_amount_currency") or "").upper() or None,
        is_for_first_purchase=bool(rules.get("first_time_transaction")),
        customer=customer["id"] if isinstance(customer, Mapping) else customer,
    )
