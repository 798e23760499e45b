"""/v1/invoiceitems."""

from __future__ import annotations

from ..engine import drafting
from ..errors import InvalidRequest
from ..objects import Object
from ..resources import customers, invoice_items, invoices, prices, subscriptions
from ..world import World
from .routes import LIST, Call, Route, listing, required, retrieving

FIELDS = "amount description discountable metadata expand"


def _create(world: World, call: Call) -> Object:
    params = call.params
    invoice_id = params.get("invoice")
    invoice = world.store.get(invoices.KIND, invoice_id, param="invoice") if invoice_id else None
    customer_id = params["customer"] if "customer" in params else (invoice["customer"] if invoice else required(params, "customer"))
    world.store.get(customers.KIND, customer_id, param="customer")
    if "subscription" in params:
        world.store.get(subscriptions.KIND, params["subscription"], param="subscription")
    item = invoice_items.create(world, params, customer=customer_id, price=_price(world, params), invoice=invoice_id)
    if invoice is not None:
        if (invoice["customer"], invoice["currency"]) != (customer_id, item["currency"]):
            raise InvalidRequest("The invoice belongs to another customer or is in another currency.", param="invoice")
        drafting.add_item(world, invoice["id"], item)
    return item


def _price(world: World, params: Object) -> Object | None:
    if "pricing" not in params:
        return None
    price = world.store.get(prices.KIND, required(params["pricing"], "price"), param="pricing[price]")
    if price["recurring"] is not None:
        raise InvalidRequest("The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.")
    return price


def _update(world: World, call: Call) -> Object:
    before = world.store.get(invoice_items.KIND, call.id)
    if before["invoice"]:
        drafting.refuse_closed(world.store.get(invoices.KIND, before["invoice"]))
    item = invoice_items.update(world, call.id, call.params)
    if item["invoice"]:
        drafting.change_item(world, item["invoice"], item)
    return item


def _delete(world: World, call: Call) -> Object:
    item = world.store.get(invoice_items.KIND, call.id)
    if item["invoice"]:
        drafting.remove_item(world, item["invoice"], call.id)
    return invoice_items.delete(world, call.id)


ROUTES = (
    Route("post /v1/invoiceitems", _create, f"{FIELDS} customer currency invoice period pricing.price quantity subscription tax_rates"),
    Route("get /v1/invoiceitems", listing(invoice_items.KIND, "customer", "invoice"), f"{LIST} customer invoice"),
    Route("get /v1/invoiceitems/{invoiceitem}", retrieving(invoice_items.KIND)),
    Route("post /v1/invoiceitems/{invoiceitem}", _update, FIELDS),
    Route("delete /v1/invoiceitems/{invoiceitem}", _delete),
)
