"""/v1/payment_methods, /v1/charges and /v1/invoice_payments."""

from __future__ import annotations

from .. import cards
from ..errors import InvalidRequest, NotSupported
from ..lists import page
from ..objects import Object
from ..resources import charges, invoice_payments, payment_methods
from ..world import World
from .routes import LIST, Call, Route, listing, required, retrieving


def _create_method(world: World, call: Call) -> Object:
    kind, details = call.params.get("type"), {name: call.params.get(name) for name in ("billing_details", "metadata")}
    if kind == "sepa_debit":
        account = cards.by_number(required(call.params.get("sepa_debit", {}), "iban"))
        return payment_methods.create(world, account, details=details["billing_details"], metadata=details["metadata"])
    if kind != "card":
        raise NotSupported("payment methods other than cards and SEPA debits", param="type")
    given = call.params.get("card", {})
    if "token" in given:
        raise NotSupported("card tokens; use a number or a pm_card_... alias", param="card[token]")
    if "number" not in given:
        raise InvalidRequest("Missing required param: card[number].", code="parameter_missing", param="card[number]")
    expires = (given["exp_month"], given["exp_year"]) if "exp_month" in given and "exp_year" in given else None
    card = cards.by_number(given["number"])
    return payment_methods.create(world, card, expires=expires, details=details["billing_details"], metadata=details["metadata"])


def _list_methods(world: World, call: Call) -> Object:
    customer = call.params.get("customer")
    exact = {"type": call.params["type"]} if "type" in call.params else {}
    found = world.store.where(payment_methods.KIND, customer=customer, **exact) if customer else []
    return page(found, call.params, url=call.path)


def _retrieve_method(world: World, call: Call) -> Object:
    return payment_methods.resolve(world, call.id)


def _update_method(world: World, call: Call) -> Object:
    return payment_methods.update(world, call.id, call.params)


def _attach(world: World, call: Call) -> Object:
    return payment_methods.attach(world, call.id, required(call.params, "customer"))


def _detach(world: World, call: Call) -> Object:
    return payment_methods.detach(world, call.id)


def _update_charge(world: World, call: Call) -> Object:
    return charges.update(world, call.id, call.params)


ROUTES = (
    Route("post /v1/payment_methods", _create_method, "type card sepa_debit.iban billing_details metadata expand"),
    Route("get /v1/payment_methods", _list_methods, f"{LIST} customer type"),
    Route("get /v1/payment_methods/{payment_method}", _retrieve_method),
    Route("post /v1/payment_methods/{payment_method}", _update_method, "billing_details metadata expand"),
    Route("post /v1/payment_methods/{payment_method}/attach", _attach, "customer expand"),
    Route("post /v1/payment_methods/{payment_method}/detach", _detach),
    Route("get /v1/charges", listing(charges.KIND, "customer", "payment_intent"), f"{LIST} customer payment_intent"),
    Route("get /v1/charges/{charge}", retrieving(charges.KIND)),
    Route("post /v1/charges/{charge}", _update_charge, "description metadata expand"),
    Route("get /v1/invoice_payments", listing(invoice_payments.KIND, "invoice", "status"), f"{LIST} invoice status"),
    Route("get /v1/invoice_payments/{invoice_payment}", retrieving(invoice_payments.KIND)),
)
