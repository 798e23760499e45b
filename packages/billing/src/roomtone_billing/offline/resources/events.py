"""Events: what happened, as endpoints and the events list see it."""

from __future__ import annotations

from typing import Any

from ..objects import Object
from ..world import API_VERSION, World
from . import deliveries

KIND = "event"
KEPT_S = 30 * 86400


def emit(world: World, event_type: str, value: Object, *, before: Object | None = None) -> Object:
    """Record an event and queue its deliveries.

    Args:
        before: the object as it was; what differs becomes `previous_attributes`.
    """
    data: Object = {"object": value}
    if before is not None:
        data["previous_attributes"] = differences(before, value)
    world.check(value if "id" in value else {**value, "id": "upcoming"})
    endpoints = deliveries.interested(world, event_type)
    account = world.store.account
    event = world.store.add(
        KIND,
        {
            "id": world.new_id("evt"),
            "object": "event",
            **({"account": account} if account else {}),
            "api_version": API_VERSION,
            "created": world.chaos.second(world.courier_now),
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": world.origin.request_id, "idempotency_key": world.origin.idempotency_key},
            "type": event_type,
        },
    )
    for endpoint in endpoints:
        deliveries.queue(world, event, endpoint)
    return event


def forget_old(world: World) -> None:
    """Drop events older than 30 days, and their finished deliveries, as Stripe does."""
    oldest = world.courier_now - KEPT_S
    waiting = {each["event"] for each in world.store.where(deliveries.KIND, state=deliveries.WAITING)}
    old = {each["id"] for each in world.store.all(KIND) if each["created"] < oldest} - waiting
    for event_id in old:
        world.store.remove(KIND, event_id)
    for each in world.store.all(deliveries.KIND):
        if each["event"] in old:
            world.store.remove(deliveries.KIND, each["id"])


def differences(before: Object, after: Object) -> Object:
    """Return the earlier values of what changed; inside dicts only the keys that changed, lists whole."""
    result: dict[str, Any] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if old != new:
            both_dicts = isinstance(old, dict) and isinstance(new, dict) and old.get("object") != "list"
            result[key] = differences(old, new) if both_dicts else old  # type: ignore[arg-type]
    return result
