"""/v1/events and /v1/webhook_endpoints."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ..lists import page
from ..objects import Object
from ..resources import events, webhook_endpoints
from ..world import World
from .routes import LIST, Call, Route


def _list(world: World, call: Call) -> Object:
    patterns = call.params.get("types") or ([call.params["type"]] if "type" in call.params else ["*"])
    oldest = world.courier_now - events.KEPT_S
    found = [
        each
        for each in world.store.all(events.KIND)
        if each["created"] >= oldest and any(fnmatchcase(each["type"], pattern) for pattern in patterns)
    ]
    return page(found, call.params, url=call.path)


def _retrieve(world: World, call: Call) -> Object:
    return world.store.get(events.KIND, call.id)


def _create_endpoint(world: World, call: Call) -> Object:
    return webhook_endpoints.create(world, call.params)


def _list_endpoints(world: World, call: Call) -> Object:
    listed = [webhook_endpoints.without_secret(each) for each in world.store.all(webhook_endpoints.KIND)]
    return page(listed, call.params, url=call.path)


def _retrieve_endpoint(world: World, call: Call) -> Object:
    return webhook_endpoints.without_secret(world.store.get(webhook_endpoints.KIND, call.id))


def _update_endpoint(world: World, call: Call) -> Object:
    return webhook_endpoints.without_secret(webhook_endpoints.update(world, call.id, call.params))


def _delete_endpoint(world: World, call: Call) -> Object:
    world.store.get(webhook_endpoints.KIND, call.id)
    world.store.remove(webhook_endpoints.KIND, call.id)
    return {"id": call.id, "object": "webhook_endpoint", "deleted": True}


ROUTES = (
    Route("get /v1/events", _list, f"{LIST} type types"),
    Route("get /v1/events/{id}", _retrieve),
    Route("post /v1/webhook_endpoints", _create_endpoint, "url enabled_events description metadata api_version connect expand"),
    Route("get /v1/webhook_endpoints", _list_endpoints, LIST),
    Route("get /v1/webhook_endpoints/{webhook_endpoint}", _retrieve_endpoint),
    Route("post /v1/webhook_endpoints/{webhook_endpoint}", _update_endpoint, "url enabled_events description metadata disabled expand"),
    Route("delete /v1/webhook_endpoints/{webhook_endpoint}", _delete_endpoint),
)
