"""Checkout pages for what is bought once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import MalformedTruth
from ..gateway import CheckoutPage, PackOffer
from .connection import Connection, asking


class StripePacks(Connection):
    """Checkout sessions in payment mode."""

    def create_pack_checkout(
        self, *, customer: str, account: str, price: str, pack: str, grants: Mapping[str, int], offer: PackOffer, key: str
    ) -> CheckoutPage:
        """Open a Checkout session that sells one pack; what it grants is in its metadata, as the catalogue may change before it is paid."""
        metadata = {"account": account, "pack": pack, "grants": json.dumps(dict(grants), sort_keys=True)}
        params: Any = {  # Any: the SDK wants literals; Stripe checks them
            "mode": "payment",
            "customer": customer,
            "client_reference_id": account,
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": offer.success_url,
            "cancel_url": offer.cancel_url,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
        }
        if offer.allow_promotion_codes:
            params["allow_promotion_codes"] = True
        if offer.taxes:
            params["automatic_tax"] = {"enabled": True}
        if offer.locale is not None:
            params["locale"] = offer.locale
        if offer.payment_methods is not None:
            params["payment_method_types"] = list(offer.payment_methods)
        with asking():
            made = self._client.checkout.sessions.create(params, {"idempotency_key": key})
        if made.url is None:
            raise MalformedTruth(f"checkout session {made.id}", "it has no url")
        return CheckoutPage(id=made.id, url=made.url)
