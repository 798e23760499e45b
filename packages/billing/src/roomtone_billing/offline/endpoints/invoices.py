"""/v1/invoices."""

from __future__ import annotations

from ..engine import collection, preview
from ..errors import InvalidRequest, NotSupported
from ..lists import page
from ..objects import Object, merged_metadata
from ..resources import customers, invoices, payment_methods, subscriptions
from ..world import World
from .routes import LIST, Call, Route

PREVIEW = "items.id items.price items.quantity items.deleted proration_behavior proration_date billing_cycle_anchor"


def _list(world: World, call: Call) -> Object:
    exact = {name: call.params[name] for name in ("customer", "status") if name in call.params}
    wanted = call.params.get("subscription")
    found = [each for each in world.store.where(invoices.KIND, **exact) if wanted in (None, invoices.subscription_id(each))]
    return page(found, call.params, url=call.path)


def _retrieve(world: World, call: Call) -> Object:
    return world.store.get(invoices.KIND, call.id)


def _update(world: World, call: Call) -> Object:
    invoice = world.store.get(invoices.KIND, call.id)
    return invoices.change(world, call.id, metadata=merged_metadata(invoice["metadata"], call.params.get("metadata")))


def _lines(world: World, call: Call) -> Object:
    return page(reversed(world.store.get(invoices.KIND, call.id)["lines"]["data"]), call.params, url=call.path)


def _finalize(world: World, call: Call) -> Object:
    invoice = invoices.finalize(world, call.id)
    if invoice["status"] == "paid":
        collection.after_payment(world, call.id)
    return world.store.get(invoices.KIND, call.id)


def _pay(world: World, call: Call) -> Object:
    invoice = world.store.get(invoices.KIND, call.id)
    if invoice["status"] == "paid":
        raise InvalidRequest("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "draft":
        invoice = _finalize(world, call)
        if invoice["status"] == "paid":
            return invoice
    chosen = call.params.get("payment_method")
    method_id = payment_methods.attach(world, chosen, invoice["customer"])["id"] if chosen else None
    decline = collection.collect(world, call.id, method_id=method_id)
    if decline is not None:
        raise collection.error_for(world, call.id, decline, is_recorded=True)
    return world.store.get(invoices.KIND, call.id)


def _void(world: World, call: Call) -> Object:
    return invoices.void(world, call.id)


def _preview(world: World, call: Call) -> Object:
    params = call.params
    if "subscription" not in params:
        raise NotSupported("previews without a subscription", param="subscription")
    subscription = world.store.get(subscriptions.KIND, params["subscription"], param="subscription")
    if params.get("customer", subscription["customer"]) != subscription["customer"]:
        raise InvalidRequest("The subscription does not belong to this customer.", param="subscription")
    world.store.get(customers.KIND, subscription["customer"])
    subscriptions.refuse_ended(subscription)
    details = params.get("subscription_details", {})
    return preview.preview(world, subscription, details)


ROUTES = (
    Route("get /v1/invoices", _list, f"{LIST} customer status subscription"),
    Route("get /v1/invoices/{invoice}", _retrieve),
    Route("post /v1/invoices/{invoice}", _update, "metadata expand"),
    Route("get /v1/invoices/{invoice}/lines", _lines, LIST),
    Route("post /v1/invoices/{invoice}/finalize", _finalize),
    Route("post /v1/invoices/{invoice}/pay", _pay, "payment_method off_session expand"),
    Route("post /v1/invoices/{invoice}/void", _void),
    Route(
        "post /v1/invoices/create_preview",
        _preview,
        "customer subscription expand " + " ".join(f"subscription_details.{name}" for name in PREVIEW.split()),
    ),
)
