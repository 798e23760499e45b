"""Invoice items: single amounts that wait for the customer's next invoice, or stand on a draft already."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object, merged_metadata
from ..shapes import blank
from ..world import World
from . import customers, events, prices, tax_rates
from .invoice_lines import Line

KIND = "invoiceitem"


def create(world: World, params: Object, *, customer: str, price: Object | None, invoice: str | None) -> Object:
    """Add an item of a customer, from a price and quantity or from a bare amount.

    Raises:
        InvalidRequest: neither or both of price and amount, or an amount without a currency.
    """
    if (price is None) == ("amount" not in params):
        raise InvalidRequest("Give either `amount` with `currency`, or `pricing[price]`.", param="amount")
    quantity = params.get("quantity", 1)
    if price is None and "currency" not in params:
        raise InvalidRequest("Missing required param: currency.", code="parameter_missing", param="currency")
    if price is None and quantity != 1:
        raise InvalidRequest("`quantity` goes with a price; with `amount` it is 1.", param="quantity")
    amount = prices.cost(price, quantity) if price else params["amount"]
    period = params.get("period", {"start": world.now, "end": world.now})
    item = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("ii"),
            "amount": amount,
            "currency": price["currency"] if price else params["currency"],
            "customer": customer,
            "date": world.now,
            "description": params.get("description"),
            "discountable": params.get("discountable", amount >= 0),
            "discounts": [],
            "invoice": invoice,
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "net_amount": amount,
            "parent": _parent(params.get("subscription")),
            "period": {"end": period["end"], "start": period["start"]},
            "pricing": _pricing(price),
            "proration": False,
            "quantity": quantity,
            "quantity_decimal": str(quantity),
            "test_clock": world.test_clock,
            "tax_rates": tax_rates.named(world, params.get("tax_rates", ""), param="tax_rates"),
        },
    )
    events.emit(world, "invoiceitem.created", item)
    return item


def update(world: World, item_id: str, params: Object) -> Object:
    """Change an item that stands on no closed invoice; an amount only where no price sets it."""
    before = world.store.get(KIND, item_id)
    changes: Object = {name: params[name] for name in ("description", "discountable") if name in params}
    if "amount" in params:
        if before["pricing"]:
            raise InvalidRequest("The price sets this item's amount; change `quantity`.", param="amount")
        changes |= {"amount": params["amount"], "net_amount": params["amount"]}
    return world.store.change(KIND, item_id, **changes, metadata=merged_metadata(before["metadata"], params.get("metadata")))


def delete(world: World, item_id: str) -> Object:
    """Take an item away for good."""
    item = world.store.get(KIND, item_id)
    events.emit(world, "invoiceitem.deleted", item)
    world.store.remove(KIND, item_id)
    return {"id": item_id, "object": "invoiceitem", "deleted": True}


def pending(world: World, customer_id: str, *, subscription: str | None, currency: str) -> list[Object]:
    """Return the items that the customer's next invoice takes up: those of no subscription, and this one's."""
    world.store.get(customers.KIND, customer_id)
    waiting = world.store.where(KIND, customer=customer_id, invoice=None, currency=currency)
    return [each for each in waiting if subscription_id(each) in (None, subscription)]


def subscription_id(item: Object) -> str | None:
    """Return the subscription that an item was made for."""
    return item["parent"]["subscription_details"]["subscription"] if item["parent"] else None


def line(world: World, item: Object) -> Line:
    """Return an item as an invoice's line."""
    price = world.store.get("price", item["pricing"]["price_details"]["price"]) if item["pricing"] else None
    return Line(
        amount=item["amount"],
        description=item["description"],
        start=item["period"]["start"],
        end=item["period"]["end"],
        price=price,
        currency=item["currency"],
        quantity=item["quantity"],
        subscription=subscription_id(item),
        invoice_item=item["id"],
        is_discountable=item["discountable"],
        rates=tuple(each["id"] for each in item["tax_rates"]),
        metadata=item["metadata"],
    )


def take_up(world: World, items: list[Object], invoice_id: str) -> None:
    """Note which invoice the items stand on."""
    for each in items:
        world.store.change(KIND, each["id"], invoice=invoice_id)


def _parent(subscription: str | None) -> Object | None:
    if subscription is None:
        return None
    return {"subscription_details": {"subscription": subscription}, "type": "subscription_details"}


def _pricing(price: Object | None) -> Object | None:
    if price is None:
        return None
    details = {"price": price["id"], "product": price["product"]}
    return {"price_details": details, "type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"]}
