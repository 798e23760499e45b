"""Reads an `items` parameter: which items a subscription shall have afterwards."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object, merged_metadata
from ..resources import prices, subscriptions, tax_rates
from ..resources.subscriptions import Wanted
from ..world import World


def wanted_items(world: World, subscription: Object, given: list[Object]) -> list[Wanted]:
    """Return all items the subscription shall have after an `items` parameter, which names only the changed ones."""
    named = {each["id"]: each for each in given if "id" in each}
    for item_id in named:
        if not any(item["id"] == item_id for item in subscriptions.items(subscription)):
            raise InvalidRequest(f"No such subscription item: '{item_id}'", code="resource_missing", param="items")
    wanted = []
    for item in subscriptions.items(subscription):
        change = named.get(item["id"], {})
        if not change.get("deleted"):
            price = prices.recurring_price(world, change["price"], param="items[price]") if "price" in change else item["price"]
            quantity = _quantity(price, change, item.get("quantity"))
            metadata = merged_metadata(item["metadata"], change.get("metadata"))
            wanted.append(Wanted(price=price, quantity=quantity, item_id=item["id"], metadata=metadata))
    wanted += [new_item(world, each, place) for place, each in enumerate(given) if "id" not in each]
    if not wanted:
        raise InvalidRequest("A subscription must have at least one active plan.", param="items")
    return wanted


def new_item(world: World, given: Object, place: int) -> Wanted:
    """Return the item that one entry without an id asks for; `place` is its number in the parameter."""
    param = f"items[{place}][price]"
    if "price" not in given:
        raise InvalidRequest(f"Missing required param: {param}.", code="parameter_missing", param=param)
    price = prices.recurring_price(world, given["price"], param=param)
    rates = tax_rates.named(world, given.get("tax_rates", ""), param=f"items[{place}][tax_rates]")
    metadata = merged_metadata({}, given.get("metadata"))
    return Wanted(
        price=price, quantity=_quantity(price, given, 1, param=f"items[{place}][quantity]"), metadata=metadata, tax_rates=tuple(rates)
    )


def _quantity(price: Object, given: Object, before: int | None, *, param: str = "items[quantity]") -> int | None:
    if prices.is_metered(price):
        if "quantity" in given:
            raise InvalidRequest("You cannot set a quantity for a price with `usage_type=metered`: its meter counts.", param=param)
        return None
    quantity = int(given.get("quantity", 1 if before is None else before))
    if quantity < 0:
        raise InvalidRequest("Invalid non-negative integer", code="parameter_invalid_integer", param=param)
    return quantity
