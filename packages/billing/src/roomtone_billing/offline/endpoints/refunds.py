"""/v1/refunds and /v1/disputes."""

from __future__ import annotations

from ..engine import connect
from ..errors import InvalidRequest
from ..objects import Object
from ..resources import disputes, payment_intents, refunds
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving


def _create(world: World, call: Call) -> Object:
    params = call.params
    charge_id = params.get("charge")
    if not charge_id and "payment_intent" in params:
        intent = world.store.get(payment_intents.KIND, params["payment_intent"], param="payment_intent")
        charge_id = intent["latest_charge"]
    if not charge_id:
        raise InvalidRequest("One of charge and payment_intent must be given, and have brought money.", param="charge")
    given = {name: params.get(name) for name in ("reason", "metadata")}
    refund = refunds.create(world, charge_id, amount=params.get("amount"), **given)
    connect.follow_refund(
        world, refund, returns_fee=bool(params.get("refund_application_fee")), reverses=bool(params.get("reverse_transfer"))
    )
    return refund


def _update(world: World, call: Call) -> Object:
    return refunds.update(world, call.id, call.params)


def _update_dispute(world: World, call: Call) -> Object:
    return disputes.update(world, call.id, call.params)


def _close_dispute(world: World, call: Call) -> Object:
    return disputes.close(world, call.id)


ROUTES = (
    Route("post /v1/refunds", _create, "amount charge payment_intent reason metadata refund_application_fee reverse_transfer expand"),
    Route("get /v1/refunds", listing(refunds.KIND, "charge", "payment_intent"), f"{LIST} charge payment_intent"),
    Route("get /v1/refunds/{refund}", retrieving(refunds.KIND)),
    Route("post /v1/refunds/{refund}", _update, "metadata expand"),
    Route("get /v1/disputes", listing(disputes.KIND, "charge", "payment_intent"), f"{LIST} charge payment_intent"),
    Route("get /v1/disputes/{dispute}", retrieving(disputes.KIND)),
    Route("post /v1/disputes/{dispute}", _update_dispute, "evidence metadata submit expand"),
    Route("post /v1/disputes/{dispute}/close", _close_dispute),
)
