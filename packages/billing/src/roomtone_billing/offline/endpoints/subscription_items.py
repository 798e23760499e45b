"""/v1/subscription_items."""

from __future__ import annotations

from ..lists import page
from ..objects import Object
from ..resources import subscriptions
from ..world import World
from .routes import LIST, Call, Route, required
from .subscriptions import change_items

OWN = ("price", "quantity", "metadata", "tax_rates")
HOW = "payment_behavior proration_behavior proration_date off_session expand"


def _list(world: World, call: Call) -> Object:
    subscription = world.store.get(subscriptions.KIND, call.params["subscription"], param="subscription")
    return page(subscriptions.items(subscription), call.params, url=call.path)


def _retrieve(world: World, call: Call) -> Object:
    return subscriptions.item(world, call.id)[1]


def _create(world: World, call: Call) -> Object:
    subscription = world.store.get(subscriptions.KIND, required(call.params, "subscription"), param="subscription")
    before = {each["id"] for each in subscriptions.items(subscription)}
    _change(world, subscription, call, {name: call.params[name] for name in OWN if name in call.params})
    after = subscriptions.items(world.store.get(subscriptions.KIND, subscription["id"]))
    # While the payment of a pending update is awaited the item is not there yet: it is shown as it will be.
    pending = world.store.get(subscriptions.KIND, subscription["id"])["pending_update"] or {"subscription_items": []}
    return next(each for each in [*after, *pending["subscription_items"]] if each["id"] not in before)


def _update(world: World, call: Call) -> Object:
    subscription, _ = subscriptions.item(world, call.id)
    own: Object = {name: call.params[name] for name in ("price", "quantity", "metadata") if name in call.params}
    _change(world, subscription, call, {**own, "id": call.id})
    return subscriptions.item(world, call.id)[1]


def _delete(world: World, call: Call) -> Object:
    subscription, _ = subscriptions.item(world, call.id)
    _change(world, subscription, call, {"id": call.id, "deleted": True})
    return {"id": call.id, "object": "subscription_item", "deleted": True}


def _change(world: World, subscription: Object, call: Call, entry: Object) -> None:
    subscriptions.refuse_ended(subscription)
    change_items(world, subscription, {**call.params, "items": [entry]})


ROUTES = (
    Route("get /v1/subscription_items", _list, f"{LIST} subscription"),
    Route("get /v1/subscription_items/{item}", _retrieve),
    Route("post /v1/subscription_items", _create, f"subscription price quantity metadata tax_rates {HOW}"),
    Route("post /v1/subscription_items/{item}", _update, f"price quantity metadata {HOW}"),
    Route("delete /v1/subscription_items/{item}", _delete, "proration_behavior proration_date payment_behavior"),
)
