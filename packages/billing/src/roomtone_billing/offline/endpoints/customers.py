"""/v1/customers."""

from __future__ import annotations

from ..engine import cycle
from ..errors import InvalidRequest
from ..lists import page
from ..objects import Object
from ..resources import balance_transactions, customers, payment_methods, subscriptions, tax_ids
from ..world import World
from .routes import LIST, Call, Route

CURRENCY = "eur"  # of a balance that is set before the customer has a currency
FIELDS = "address balance description email invoice_settings.default_payment_method metadata name phone preferred_locales tax_exempt expand"


def _create(world: World, call: Call) -> Object:
    customer = customers.create(world, {name: value for name, value in call.params.items() if name != "invoice_settings"})
    if call.params.get("balance"):
        _set_balance(world, customer, call.params["balance"])
    for each in call.params.get("tax_id_data", []):
        tax_ids.create(world, customer["id"], each)
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
    if "balance" in call.params:
        _set_balance(world, world.store.get(customers.KIND, call.id), call.params["balance"])
    return customers.update(world, call.id, call.params)


def _set_balance(world: World, customer: Object, balance: int) -> None:
    amount = balance - customer["balance"]
    balance_transactions.move(world, customer["id"], amount, kind="adjustment", currency=customer["currency"] or CURRENCY)


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


def _move_balance(world: World, call: Call) -> Object:
    customer = world.store.get(customers.KIND, call.id)
    if call.params["currency"] != (customer["currency"] or call.params["currency"]):
        raise InvalidRequest("The customer's balance is kept in the currency of the customer's invoices.", param="currency")
    given = {name: call.params.get(name) for name in ("description", "metadata")}
    currency = call.params["currency"]
    return balance_transactions.move(world, call.id, call.params["amount"], kind="adjustment", currency=currency, **given)


def _balance_transactions(world: World, call: Call) -> Object:
    world.store.get(customers.KIND, call.id)
    return page(world.store.where(balance_transactions.KIND, customer=call.id), call.params, url=call.path)


def _balance_transaction(world: World, call: Call) -> Object:
    return world.store.get(balance_transactions.KIND, call.ids[1])


def _add_tax_id(world: World, call: Call) -> Object:
    world.store.get(customers.KIND, call.id)
    return tax_ids.create(world, call.id, call.params)


def _tax_ids(world: World, call: Call) -> Object:
    return page(world.store.where(tax_ids.KIND, customer=call.id), call.params, url=call.path)


def _tax_id(world: World, call: Call) -> Object:
    return world.store.get(tax_ids.KIND, call.ids[1])


def _delete_tax_id(world: World, call: Call) -> Object:
    return tax_ids.delete(world, call.ids[1])


ROUTES = (
    Route("post /v1/customers", _create, f"{FIELDS} payment_method tax_id_data test_clock"),
    Route("get /v1/customers", _list, f"{LIST} email"),
    Route("get /v1/customers/{customer}", _retrieve),
    Route("post /v1/customers/{customer}", _update, FIELDS),
    Route("delete /v1/customers/{customer}", _delete),
    Route("get /v1/customers/{customer}/payment_methods", _payment_methods, f"{LIST} type"),
    Route("get /v1/customers/{customer}/payment_methods/{payment_method}", _payment_method),
    Route("post /v1/customers/{customer}/balance_transactions", _move_balance, "amount currency description metadata expand"),
    Route("get /v1/customers/{customer}/balance_transactions", _balance_transactions, LIST),
    Route("get /v1/customers/{customer}/balance_transactions/{transaction}", _balance_transaction),
    Route("post /v1/customers/{customer}/tax_ids", _add_tax_id, "type value expand"),
    Route("get /v1/customers/{customer}/tax_ids", _tax_ids, LIST),
    Route("get /v1/customers/{customer}/tax_ids/{id}", _tax_id),
    Route("delete /v1/customers/{customer}/tax_ids/{id}", _delete_tax_id),
)
