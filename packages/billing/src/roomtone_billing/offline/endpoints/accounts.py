"""/v1/accounts, /v1/account_links, /v1/application_fees and /v1/transfers: Connect."""

from __future__ import annotations

from ..errors import NotSupported
from ..objects import Object
from ..resources import accounts, fees
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving

FIELDS = "email business_type business_profile metadata expand"
LINK_S = 300


def _create(world: World, call: Call) -> Object:
    return accounts.create(world, call.params)


def _update(world: World, call: Call) -> Object:
    return accounts.update(world, call.id, call.params)


def _delete(world: World, call: Call) -> Object:
    world.store.get(accounts.KIND, call.id)
    return world.store.replace(accounts.KIND, {"id": call.id, "object": accounts.KIND, "deleted": True})


def _link(world: World, call: Call) -> Object:
    account = world.store.get(accounts.KIND, call.params["account"], param="account")
    if call.params["type"] != "account_onboarding":
        raise NotSupported("account links other than account_onboarding", param="type")
    link = {
        "id": world.new_id("link"),
        "account": account["id"],
        "return_url": call.params.get("return_url"),
        "expires_at": world.now + LINK_S,
    }
    world.store.add("account_link", link)
    url = world.url(f"/connect/onboarding/{link['id']}")
    return {"object": "account_link", "created": world.now, "expires_at": link["expires_at"], "url": url}


def _login(world: World, call: Call) -> Object:
    world.store.get(accounts.KIND, call.id)
    return {"object": "login_link", "created": world.now, "url": world.url(f"/offline?account={call.id}")}


ROUTES = (
    Route("post /v1/accounts", _create, f"{FIELDS} type country default_currency capabilities controller"),
    Route("get /v1/accounts", listing(accounts.KIND), LIST),
    Route("get /v1/accounts/{account}", retrieving(accounts.KIND)),
    Route("post /v1/accounts/{account}", _update, FIELDS),
    Route("delete /v1/accounts/{account}", _delete),
    Route("post /v1/account_links", _link, "account refresh_url return_url type expand"),
    Route("post /v1/accounts/{account}/login_links", _login),
    Route("get /v1/application_fees", listing(fees.FEE, "charge"), f"{LIST} charge"),
    Route("get /v1/application_fees/{id}", retrieving(fees.FEE)),
    Route("get /v1/transfers", listing(fees.TRANSFER, "destination", "transfer_group"), f"{LIST} destination transfer_group"),
    Route("get /v1/transfers/{transfer}", retrieving(fees.TRANSFER)),
)
