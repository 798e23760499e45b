"""/v1/entitlements and /v1/products/{product}/features."""

from __future__ import annotations

from ..errors import missing
from ..lists import page
from ..objects import Object
from ..resources import customers, entitlements
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving


def _create(world: World, call: Call) -> Object:
    return entitlements.create(world, call.params)


def _update(world: World, call: Call) -> Object:
    return entitlements.update(world, call.id, call.params)


def _attach(world: World, call: Call) -> Object:
    return entitlements.attach(world, call.id, call.params["entitlement_feature"])


def _attached(world: World, call: Call) -> Object:
    world.store.get("product", call.id)
    return page(entitlements.attached(world, call.id), call.params, url=call.path)


def _one_attached(world: World, call: Call) -> Object:
    return entitlements.find_attached(world, call.id, call.ids[1])


def _detach(world: World, call: Call) -> Object:
    return entitlements.detach(world, call.id, call.ids[1])


def _active(world: World, call: Call) -> Object:
    world.store.get(customers.KIND, call.params["customer"], param="customer")
    return page(entitlements.active(world, call.params["customer"]), call.params, url=call.path)


def _one_active(world: World, call: Call) -> Object:
    known = next((each for each in world.store.all("entitlement_id") if each["own"] == call.id), None)
    found = entitlements.active(world, known["id"].split("/")[0]) if known else []
    for each in found:
        if each["id"] == call.id:
            return each
    raise missing(entitlements.ACTIVE, call.id)


ROUTES = (
    Route("post /v1/entitlements/features", _create, "lookup_key name metadata expand"),
    Route("get /v1/entitlements/features", listing(entitlements.FEATURE, "lookup_key"), f"{LIST} lookup_key"),
    Route("get /v1/entitlements/features/{id}", retrieving(entitlements.FEATURE)),
    Route("post /v1/entitlements/features/{id}", _update, "active name metadata expand"),
    Route("get /v1/entitlements/active_entitlements", _active, f"{LIST} customer"),
    Route("get /v1/entitlements/active_entitlements/{id}", _one_active),
    Route("post /v1/products/{product}/features", _attach, "entitlement_feature expand"),
    Route("get /v1/products/{product}/features", _attached, LIST),
    Route("get /v1/products/{product}/features/{id}", _one_attached),
    Route("delete /v1/products/{product}/features/{id}", _detach),
)
