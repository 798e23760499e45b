"""Entitlements: features, the products that have them, and what a customer's running subscriptions therefore allow."""

from __future__ import annotations

from ..errors import InvalidRequest, missing
from ..objects import Object, merged_metadata
from ..world import World
from . import subscriptions

FEATURE = "entitlements.feature"
ACTIVE = "entitlements.active_entitlement"
ATTACHED = "product_feature"
GRANTING = ("active", "trialing", "past_due")


def create(world: World, params: Object) -> Object:
    """Add a feature; raises InvalidRequest when another has the lookup key."""
    if any(world.store.where(FEATURE, lookup_key=params["lookup_key"])):
        raise InvalidRequest("A feature with this lookup_key exists.", code="resource_already_exists", param="lookup_key")
    metadata = merged_metadata({}, params.get("metadata"))
    own = {"id": world.new_id("feat_test"), "object": FEATURE, "active": True, "livemode": False, "metadata": metadata}
    return world.store.add(FEATURE, {**own, "lookup_key": params["lookup_key"], "name": params["name"]})


def update(world: World, feature_id: str, params: Object) -> Object:
    """Rename or archive a feature."""
    before = world.store.get(FEATURE, feature_id)
    changes = {name: params[name] for name in ("active", "name") if name in params}
    return world.store.change(FEATURE, feature_id, **changes, metadata=merged_metadata(before["metadata"], params.get("metadata")))


def attach(world: World, product_id: str, feature_id: str) -> Object:
    """Give a product a feature."""
    world.store.get("product", product_id, param="product")
    feature = world.store.get(FEATURE, feature_id, param="entitlement_feature")
    if any(each["entitlement_feature"] == feature_id for each in world.store.where(ATTACHED, product=product_id)):
        raise InvalidRequest("The product has this feature already.", code="resource_already_exists", param="entitlement_feature")
    kept = {"id": world.new_id("pf_test"), "product": product_id, "entitlement_feature": feature["id"]}
    return shown(world, world.store.add(ATTACHED, kept))


def attached(world: World, product_id: str) -> list[Object]:
    """Return a product's features."""
    return [shown(world, each) for each in world.store.where(ATTACHED, product=product_id)]


def find_attached(world: World, product_id: str, attached_id: str) -> Object:
    """Return one of a product's features; raises Stripe's `resource_missing`."""
    found = world.store.find(ATTACHED, attached_id)
    if found is None or found["product"] != product_id:
        raise missing("product_feature", attached_id)
    return shown(world, found)


def detach(world: World, product_id: str, attached_id: str) -> Object:
    """Take a feature from a product."""
    find_attached(world, product_id, attached_id)
    world.store.remove(ATTACHED, attached_id)
    return {"id": attached_id, "object": ATTACHED, "deleted": True}


def active(world: World, customer_id: str) -> list[Object]:
    """Return a customer's active entitlements, in the order in which the features were first granted."""
    running = [each for each in subscriptions.of_customer(world, customer_id) if each["status"] in GRANTING]
    products = {item["price"]["product"] for each in running for item in subscriptions.items(each)}
    features = dict.fromkeys(
        each["entitlement_feature"] for product in sorted(products) for each in world.store.where(ATTACHED, product=product)
    )
    return [_active(world, customer_id, world.store.get(FEATURE, each)) for each in features]


def shown(world: World, kept: Object) -> Object:
    """Return a product's feature as Stripe shows it."""
    feature = world.store.get(FEATURE, kept["entitlement_feature"])
    return {"id": kept["id"], "object": ATTACHED, "entitlement_feature": feature, "livemode": False}


def _active(world: World, customer_id: str, feature: Object) -> Object:
    key = f"{customer_id}/{feature['id']}"
    known = world.store.find("entitlement_id", key) or world.store.add("entitlement_id", {"id": key, "own": world.new_id("ent_test")})
    return {"id": known["own"], "object": ACTIVE, "feature": feature["id"], "livemode": False, "lookup_key": feature["lookup_key"]}
