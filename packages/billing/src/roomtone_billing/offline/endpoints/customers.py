"""/v1/customers."""

from __future__ import annotations

from ..engine import cycle
from ..lists import page
from ..objects import Object
from ..resources import customers, payment_methods, subscriptions
from ..world import World
from .routes import LIST, Call, Route

FIELDS = "address balance description email invoice_settings.default_payment_method metadata name phone preferred_locales tax_exempt expand"


def _create(world: World, call: Call) -> Object:
    customer = customers.create(world, {name: value for name, value in call.params.items() if name != "invoice_settings"})
    if "payment_method" in call.params:
        payment_methods.attach(world, call.params["payment_method"], customer["id"])
    if "invoice_settings" in call.params:
        customers.update(world, customer["id"], {"invoice_settings": call.params["invoice_settings"]})
    return world.store.get(customers.KIND, customer["id"])


def _list(world: World, call: Call) -> Object:
    email = call.params.get("email")
    found = [each for each in world.store.all(customers.KIND) if not each.get("deleted") and email in (None, each["email"])]
    return page(found, call.params, url=call.path)


def _retrieve(world: World, call: Call) -> Object:
    # Stripe answers a deleted customer with its stub, not with 404.
    return world.store.find(customers.KIND, call.id) or world.store.get(customers.KIND, call.id)


def _update(world: World, call: Call) -> Object:
    chosen = call.params.get("invoice_settings", {}).get("default_payment_method")
    if chosen:
        method = payment_methods.resolve(world, chosen, param="invoice_settings[default_payment_method]")
        payment_methods.attach(world, method["id"], call.id)
        call.params["invoice_settings"]["default_payment_method"] = method["id"]
    return customers.update(world, call.id, call.params)


def _delete(world: World, call: Call) -> Object:
    world.store.get(customers.KIND, call.id)
    for subscription in subscriptions.of_customer(world, call.id):
        cycle.end(world, subscription["id"], reason="cancellation_requested")
    return customers.delete(world, call.id)


def _payment_methods(world: World, call: Call) -> Object:
    world.store.get(customers.KIND, call.id)
    return page(world.store.where(payment_methods.KIND, customer=call.id), call.params, url=call.path)


def _payment_method(world: World, call: Call) -> Object:
    world.store.get(customers.KIND, call.id)
    method = world.store.get(payment_methods.KIND, call.ids[1])
    return method if method["customer"] == call.id else world.store.get(payment_methods.KIND, "")


ROUTES = (
    Route("post /v1/customers", _create, f"{FIELDS} payment_method"),
    Route("get /v1/customers", _list, f"{LIST} email"),
    Route("get /v1/customers/{customer}", _retrieve),
    Route("post /v1/customers/{customer}", _update, FIELDS),
    Route("delete /v1/customers/{customer}", _delete),
    Route("get /v1/customers/{customer}/payment_methods", _payment_methods, f"{LIST} type"),
    Route("get /v1/customers/{customer}/payment_methods/{payment_method}", _payment_method),
)
