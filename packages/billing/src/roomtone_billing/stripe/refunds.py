"""Money that goes back."""

from __future__ import annotations

import hashlib
from typing import Any

from ..gateway import MadeRefund, RefundReason
from .connection import PAGE_MAX, Connection, asking, plain

_KEY = "key"


class StripeRefunds(Connection):
    """Refunds, each marked with the key it was made under: Stripe itself remembers keys for a day or so."""

    def refunds(self, payment: str) -> list[MadeRefund]:
        """The newest 100 refunds of the payment intent."""
        with asking():
            found = plain(self._client.refunds.list({"payment_intent": payment, "limit": PAGE_MAX}).data)
            return [_refund(one) for one in found]

    def create_refund(self, *, payment: str, amount_minor: int, reason: RefundReason | None, key: str) -> MadeRefund:
        """Refund a part of what the payment intent took."""
        params: Any = {"payment_intent": payment, "amount": amount_minor, "metadata": {_KEY: key}}  # Any: the SDK wants literals
        if reason is not None:
            params["reason"] = reason.value
        digest = hashlib.sha256(f"{payment}\n{amount_minor}\n{reason}\n{key}".encode()).hexdigest()
        with asking():
            return _refund(self._client.refunds.create(params, {"idempotency_key": f"refund-{digest}"}).to_dict())


def _refund(thing: dict[str, Any]) -> MadeRefund:
    return MadeRefund(
        id=thing["id"],
        amount_minor=thing["amount"],
        currency=thing["currency"].upper(),
        status=thing["status"],
        key=(thing.get("metadata") or {}).get(_KEY),
    )
