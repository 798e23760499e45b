"""Webhook endpoints that the API registered."""

from __future__ import annotations

from ..objects import Object, emptied, merged_metadata
from ..world import World

KIND = "webhook_endpoint"


def create(world: World, params: Object) -> Object:
    """Add an endpoint; only this answer shows its secret."""
    endpoint_id = world.new_id("we")
    if params.get("connect"):
        world.store.add("connect_endpoint", {"id": endpoint_id})
    return world.store.add(
        KIND,
        {
            "id": endpoint_id,
            "object": "webhook_endpoint",
            "api_version": params.get("api_version"),
            "application": None,
            "created": world.now,
            "description": emptied(params.get("description")),
            "enabled_events": params["enabled_events"],
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "secret": world.new_id("whsec", length=32),
            "status": "enabled",
            "url": params["url"],
        },
    )


def update(world: World, endpoint_id: str, params: Object) -> Object:
    """Change what the parameters name."""
    before = world.store.get(KIND, endpoint_id)
    changes: Object = {name: emptied(params[name]) for name in ("description", "enabled_events", "url") if name in params}
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        changes["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    return world.store.change(KIND, endpoint_id, **changes)


def without_secret(endpoint: Object) -> Object:
    """Return the endpoint as every later answer shows it."""
    return {name: value for name, value in endpoint.items() if name != "secret"}
