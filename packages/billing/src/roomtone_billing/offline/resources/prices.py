"""Prices: how much, how often. An amount never changes; a new price takes over the lookup key."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InvalidRequest
from ..objects import Object, emptied, merged_metadata
from ..world import World
from . import events, products

KIND = "price"


def create(world: World, params: Object) -> Object:
    """Add a price of an existing or a new product."""
    if "unit_amount" not in params:
        raise InvalidRequest("You must provide `unit_amount`.", code="parameter_missing", param="unit_amount")
    if params["unit_amount"] < 0:
        raise InvalidRequest("Invalid non-negative integer", code="parameter_invalid_integer", param="unit_amount")
    product_id = _product(world, params)
    recurring = params.get("recurring")
    price = world.store.add(
        KIND,
        {
            "id": world.new_id("price"),
            "object": "price",
            "active": params.get("active", True),
            "billing_scheme": "per_unit",
            "created": world.now,
            "currency": params["currency"],
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": _free_lookup_key(world, params),
            "metadata": merged_metadata({}, params.get("metadata")),
            "nickname": params.get("nickname"),
            "product": product_id,
            "recurring": recurring
            and {
                "interval": recurring["interval"],
                "interval_count": recurring.get("interval_count", 1),
                "meter": None,
                "trial_period_days": None,
                "usage_type": "licensed",
            },
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if recurring else "one_time",
            "unit_amount": params["unit_amount"],
            "unit_amount_decimal": str(params["unit_amount"]),
        },
    )
    events.emit(world, "price.created", price)
    return price


def update(world: World, price_id: str, params: Object) -> Object:
    """Change what the parameters name; the amount is not among them."""
    before = world.store.get(KIND, price_id)
    changes: Object = {name: emptied(params[name]) for name in ("active", "nickname", "tax_behavior") if name in params}
    if "lookup_key" in params:
        changes["lookup_key"] = _free_lookup_key(world, params, owner=price_id)
    if "metadata" in params:
        changes["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    after = world.store.change(KIND, price_id, **changes)
    events.emit(world, "price.updated", after, before=before)
    return after


def recurring_price(world: World, price_id: str, *, param: str) -> Object:
    """Return an active recurring price; raises InvalidRequest naming `param`."""
    price = world.store.get(KIND, price_id, param=param)
    if price["recurring"] is None:
        raise InvalidRequest(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.", param=param
        )
    if not price["active"]:
        raise InvalidRequest("The price specified is inactive. This field only accepts active prices.", param=param)
    return price


def refuse_mixed_currencies(prices: Iterable[Object], currency: str | None) -> None:
    """Raise InvalidRequest unless all prices share a currency, and the given one (a customer keeps the currency of the first invoice)."""
    found = {price["currency"] for price in prices} | ({currency} if currency else set())
    if len(found) > 1:
        raise InvalidRequest(
            f"You cannot combine currencies on a single customer. This request would combine {', '.join(sorted(found))}.", param="currency"
        )


def _product(world: World, params: Object) -> str:
    if ("product" in params) == ("product_data" in params):
        raise InvalidRequest("You must specify either `product` or `product_data`.", param="product")
    if "product_data" in params:
        return str(products.create(world, params["product_data"])["id"])
    return str(world.store.get("product", params["product"], param="product")["id"])


def _free_lookup_key(world: World, params: Object, *, owner: str | None = None) -> str | None:
    key = params.get("lookup_key") or None
    holder = next(iter(world.store.where(KIND, lookup_key=key)), None) if key else None
    if holder is None or holder["id"] == owner:
        return key
    if not params.get("transfer_lookup_key"):
        raise InvalidRequest(
            f"A price (`{holder['id']}`) already uses that lookup key: pass `transfer_lookup_key` to move it.", param="lookup_key"
        )
    after = world.store.change(KIND, holder["id"], lookup_key=None)
    events.emit(world, "price.updated", after, before=holder)
    return key
