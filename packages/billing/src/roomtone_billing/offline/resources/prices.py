"""Prices: how much, how often. An amount never changes; a new price takes over the lookup key."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from ..errors import InvalidRequest
from ..objects import Object, emptied, merged_metadata
from ..totals import rounded
from ..world import World
from . import events, meters, products

KIND = "price"
DECIMALS_MAX = 12


def create(world: World, params: Object) -> Object:
    """Add a price of an existing or a new product; raises InvalidRequest for a senseless amount or meter."""
    unit = _unit(params)
    product_id = _product(world, params)
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
            "recurring": _recurring(world, params),
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if params.get("recurring") else "one_time",
            "unit_amount": int(unit) if unit == unit.to_integral_value() else None,
            "unit_amount_decimal": f"{unit.normalize():f}",
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


def one_time_price(world: World, price_id: str, *, param: str) -> Object:
    """Return an active price that is paid once; raises InvalidRequest naming `param`."""
    price = world.store.get(KIND, price_id, param=param)
    if price["recurring"] is not None:
        raise InvalidRequest(
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.", param=param
        )
    if not price["active"]:
        raise InvalidRequest("The price specified is inactive. This field only accepts active prices.", param=param)
    return price


def is_metered(price: Object) -> bool:
    """Is the price for what a meter counts, to be paid afterwards?"""
    return bool(price["recurring"] and price["recurring"]["usage_type"] == "metered")


def cost(price: Object, quantity: int | Decimal) -> int:
    """Return what so many cost, in minor units, halves away from zero."""
    return rounded(Decimal(price["unit_amount_decimal"]) * quantity)


def upfront(price: Object, quantity: int | None) -> int:
    """Return what is paid at the beginning of a period: nothing where a meter counts."""
    return 0 if quantity is None else cost(price, quantity)


def refuse_mixed_currencies(prices: Iterable[Object], currency: str | None) -> None:
    """Raise InvalidRequest unless all prices share a currency, and the given one (a customer keeps the currency of the first invoice)."""
    found = {price["currency"] for price in prices} | ({currency} if currency else set())
    if len(found) > 1:
        raise InvalidRequest(
            f"You cannot combine currencies on a single customer. This request would combine {', '.join(sorted(found))}.", param="currency"
        )


def _unit(params: Object) -> Decimal:
    if ("unit_amount" in params) == ("unit_amount_decimal" in params):
        raise InvalidRequest("You must provide `unit_amount` or `unit_amount_decimal`.", code="parameter_missing", param="unit_amount")
    if "unit_amount" in params:
        unit, code = Decimal(params["unit_amount"]), "parameter_invalid_integer"
    else:
        try:
            unit, code = Decimal(params["unit_amount_decimal"]), "parameter_invalid_decimal"
        except InvalidOperation:
            unit, code = Decimal("NaN"), "parameter_invalid_decimal"
    exponent = unit.as_tuple().exponent
    if not isinstance(exponent, int) or unit < 0 or exponent < -DECIMALS_MAX:
        raise InvalidRequest(
            "Invalid non-negative amount", code=code, param="unit_amount" if "unit_amount" in params else "unit_amount_decimal"
        )
    return unit


def _recurring(world: World, params: Object) -> Object | None:
    recurring = params.get("recurring")
    if not recurring:
        return None
    usage, meter = recurring.get("usage_type", "licensed"), recurring.get("meter")
    if (usage == "metered") != (meter is not None):
        raise InvalidRequest("`recurring[meter]` belongs to `usage_type=metered`, which needs it.", param="recurring[meter]")
    if meter is not None and world.store.get(meters.KIND, meter, param="recurring[meter]")["status"] != "active":
        raise InvalidRequest("The meter is inactive.", param="recurring[meter]")
    count = recurring.get("interval_count", 1)
    if count < 1:
        raise InvalidRequest("Invalid positive integer", code="parameter_invalid_integer", param="recurring[interval_count]")
    return {"interval": recurring["interval"], "interval_count": count, "meter": meter, "trial_period_days": None, "usage_type": usage}


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
