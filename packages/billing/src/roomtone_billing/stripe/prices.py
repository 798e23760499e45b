"""Products and prices at Stripe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import GatewayRefused
from ..gateway import PublishedPrice, PublishedProduct
from ..plans import Interval
from . import translation
from .connection import PAGE_MAX, Connection, asking, plain

# The limit of the API: https://docs.stripe.com/api/prices/list
_LOOKUP_KEYS_MAX = 10


class StripePrices(Connection):
    """Products, prices and their lookup keys."""

    def prices(self, lookup_keys: Sequence[str]) -> list[PublishedPrice]:
        """The active prices with these lookup keys, ten a call."""
        found: list[PublishedPrice] = []
        for start in range(0, len(lookup_keys), _LOOKUP_KEYS_MAX):
            with asking():
                page = self._client.prices.list(
                    {"lookup_keys": list(lookup_keys[start : start + _LOOKUP_KEYS_MAX]), "active": True, "limit": PAGE_MAX}
                )
                found += [translation.published(one) for one in plain(page.data)]
        return found

    def products(self, ids: Sequence[str]) -> dict[str, PublishedProduct]:
        """The products that exist, a hundred a call."""
        found: dict[str, PublishedProduct] = {}
        for start in range(0, len(ids), PAGE_MAX):
            with asking():
                page = self._client.products.list({"ids": list(ids[start : start + PAGE_MAX]), "limit": PAGE_MAX})
                found |= {one.id: PublishedProduct(name=one.name, is_active=one.active) for one in page.data}
        return found

    def is_subscribed_to(self, price: str) -> bool:
        """Whether anybody has a subscription on the price that has not ended: Stripe lists those by default."""
        with asking():
            return bool(self._client.subscriptions.list({"price": price, "limit": 1}).data)

    def put_product(self, *, id: str, name: str, is_new: bool, is_active: bool | None = None) -> None:  # noqa: A002 the word of the API
        """Make or rename a product; one that another process made a moment ago is as good."""
        params: Any = {"name": name} if is_active is None else {"name": name, "active": is_active}  # Any: the SDK's two shapes
        try:
            with asking():
                if is_new:
                    self._client.products.create(params | {"id": id})
                else:
                    self._client.products.update(id, params)
        except GatewayRefused as error:
            if error.code != "resource_already_exists":
                raise

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
        """Make a price and move the lookup key to it; what it sells is in its metadata, which stays when the key moves on."""
        params: Any = {  # Any: the SDK wants literals; Stripe checks them
            "product": product,
            "currency": currency.lower(),
            "unit_amount": amount_minor,
            "lookup_key": lookup_key,
            "transfer_lookup_key": True,
            "metadata": dict(metadata),
        }
        if interval is not None:
            params["recurring"] = {"interval": interval.value}
        with asking():
            return self._client.prices.create(params, {"idempotency_key": key}).id
