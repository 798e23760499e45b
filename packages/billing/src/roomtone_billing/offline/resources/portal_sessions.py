"""Portal sessions: one customer's way into the portal page. The address is the key to it and works for a while only."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object
from ..world import World
from . import customers, events, portal_configurations

KIND = "billing_portal.session"
OPEN_S = 24 * 3600


def create(world: World, params: Object) -> Object:
    """Add a session for a customer."""
    customer = world.store.get(customers.KIND, params["customer"], param="customer")
    chosen = params.get("configuration")
    configuration = (
        world.store.get(portal_configurations.KIND, chosen, param="configuration") if chosen else portal_configurations.default(world)
    )
    if not configuration["active"]:
        raise InvalidRequest("The portal configuration is not active.", param="configuration")
    return_url = params.get("return_url") or configuration["default_return_url"]
    session_id = world.new_id("bps")
    session = world.store.add(
        KIND,
        {
            "id": session_id,
            "object": "billing_portal.session",
            "configuration": configuration["id"],
            "created": world.now,
            "customer": customer["id"],
            "customer_account": None,
            "flow": None,
            "livemode": False,
            "locale": params.get("locale"),
            "on_behalf_of": None,
            "return_url": return_url,
            "url": world.url(f"/p/session/{session_id}"),
        },
    )
    events.emit(world, "billing_portal.session.created", session)
    return session


def is_open(world: World, session: Object) -> bool:
    """Does the address still work?"""
    return bool(world.now - session["created"] < OPEN_S)
