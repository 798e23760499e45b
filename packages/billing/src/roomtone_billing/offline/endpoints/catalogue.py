"""/v1/products and /v1/prices."""

from __future__ import annotations

from ..lists import page
from ..objects import Object
from ..resources import prices, products
from ..world import World
from .routes import LIST, Call, Route

PRODUCT = "active description images marketing_features metadata name statement_descriptor tax_code unit_label url expand"
PRICE = "active nickname lookup_key transfer_lookup_key metadata tax_behavior expand"


def _create_product(world: World, call: Call) -> Object:
    return products.create(world, call.params)


def _list_products(world: World, call: Call) -> Object:
    wanted = call.params.get("ids")
    found = [
        each
        for each in world.store.all(products.KIND)
        if not each.get("deleted")
        and call.params.get("active", each["active"]) == each["active"]
        and (wanted is None or each["id"] in wanted)
    ]
    return page(found, call.params, url=call.path)


def _retrieve_product(world: World, call: Call) -> Object:
    return world.store.get(products.KIND, call.id)


def _update_product(world: World, call: Call) -> Object:
    return products.update(world, call.id, call.params)


def _delete_product(world: World, call: Call) -> Object:
    return products.delete(world, call.id)


def _create_price(world: World, call: Call) -> Object:
    return prices.create(world, call.params)


def _list_prices(world: World, call: Call) -> Object:
    keys = call.params.get("lookup_keys")
    exact = {name: call.params[name] for name in ("active", "currency", "product", "type") if name in call.params}
    recurring = call.params.get("recurring", {})
    found = [
        each
        for each in world.store.where(prices.KIND, **exact)
        if (keys is None or each["lookup_key"] in keys)
        and all((each["recurring"] or {}).get(name) == value for name, value in recurring.items())
    ]
    return page(found, call.params, url=call.path)


def _retrieve_price(world: World, call: Call) -> Object:
    return world.store.get(prices.KIND, call.id)


def _update_price(world: World, call: Call) -> Object:
    return prices.update(world, call.id, call.params)


ROUTES = (
    Route("post /v1/products", _create_product, f"{PRODUCT} id"),
    Route("get /v1/products", _list_products, f"{LIST} active ids"),
    Route("get /v1/products/{id}", _retrieve_product),
    Route("post /v1/products/{id}", _update_product, f"{PRODUCT} default_price"),
    Route("delete /v1/products/{id}", _delete_product),
    Route(
        "post /v1/prices",
        _create_price,
        f"{PRICE} currency product product_data unit_amount unit_amount_decimal recurring.interval recurring.interval_count "
        "recurring.meter recurring.usage_type",
    ),
    Route("get /v1/prices", _list_prices, f"{LIST} active currency product type lookup_keys recurring"),
    Route("get /v1/prices/{price}", _retrieve_price),
    Route("post /v1/prices/{price}", _update_price, PRICE),
)
