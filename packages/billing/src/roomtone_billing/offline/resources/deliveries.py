"""Deliveries: one event on its way to one endpoint. Not a resource of Stripe's API; the dashboard shows them."""

from __future__ import annotations

from ..objects import Object
from ..world import World

KIND = "delivery"
WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
CONFIGURED = "configured"
# Seconds until the next attempt, after the first, second, ... failure. Stripe keeps trying for about three days; so does this.
RETRY_S = (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)


def interested(world: World, event_type: str) -> list[Object]:
    """Return the endpoints that want this type: the configured address first, then the registered ones."""
    configured = [{"id": CONFIGURED, "url": world.settings.webhook_url}] if world.settings.webhook_url else []
    registered = [
        each
        for each in world.store.where("webhook_endpoint", status="enabled")
        if ("*" in each["enabled_events"] or event_type in each["enabled_events"]) and _hears(world, each["id"])
    ]
    return configured + registered


def _hears(world: World, endpoint_id: str) -> bool:
    """Is the endpoint for events of this kind of account, the platform's own or connected ones?"""
    is_connect = world.store.find("connect_endpoint", endpoint_id) is not None
    return is_connect == (world.store.account is not None)


def queue(world: World, event: Object, endpoint: Object) -> Object:
    """Let an event go to an endpoint, as soon as the courier comes by; chaos may hold it back."""
    delivery_id = f"delivery_{world.store.count('delivery'):08}"
    return world.store.add(
        KIND,
        {
            "id": delivery_id,
            "event": event["id"],
            "account": world.store.account,
            "type": event["type"],
            "endpoint": endpoint["id"],
            "state": WAITING,
            "attempts": 0,
            "due_at": world.chaos.due_at(delivery_id, world.courier_now),
            "last_status": None,
            "last_problem": None,
        },
    )


def due(world: World) -> list[Object]:
    """Return the deliveries whose time has come, first due first."""
    return world.store.due(KIND, until=world.courier_now)


def record(world: World, delivery_id: str, *, status: int | None, problem: str | None) -> None:
    """Note the outcome of an attempt: done on 2xx, else tried again later or given up (it can still be sent again by hand)."""
    delivery = world.store.find(KIND, delivery_id)
    if delivery is None:
        return
    attempts = delivery["attempts"] + 1
    facts: Object = {"attempts": attempts, "last_status": status, "last_problem": problem}
    if status is not None and 200 <= status < 300:
        facts["state"] = DELIVERED
        with world.store.seen_as(delivery["account"]):
            _lower_pending(world, delivery["event"])
    elif attempts > len(RETRY_S):
        facts["state"] = FAILED
    else:
        facts["due_at"] = world.courier_now + RETRY_S[attempts - 1]
    world.store.change(KIND, delivery_id, **facts)


def destination(world: World, delivery: Object) -> tuple[str, str] | None:
    """Return the address and the signing secret of a delivery's endpoint as they are now; None when the endpoint is gone."""
    if delivery["endpoint"] == CONFIGURED:
        settings = world.settings
        return (settings.webhook_url, settings.webhook_secret) if settings.webhook_url else None
    endpoint = world.store.find("webhook_endpoint", delivery["endpoint"])
    return (endpoint["url"], endpoint["secret"]) if endpoint else None


def _lower_pending(world: World, event_id: str) -> None:
    event = world.store.find("event", event_id)
    if event is not None:
        world.store.change("event", event_id, pending_webhooks=max(0, event["pending_webhooks"] - 1))
