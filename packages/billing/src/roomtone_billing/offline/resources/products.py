"""Products: what is sold."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object, emptied, merged_metadata
from ..world import World
from . import events

KIND = "product"
PLAIN = (
    "active",
    "default_price",
    "description",
    "images",
    "marketing_features",
    "name",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)


def create(world: World, params: Object) -> Object:
    """Add a product; its id may be the caller's."""
    product_id = params.get("id") or world.new_id("prod", length=14)
    if world.store.find(KIND, product_id):
        raise InvalidRequest(f"Product already exists: {product_id}", code="resource_already_exists", param="id")
    product = world.store.add(
        KIND,
        {
            "id": product_id,
            "object": "product",
            "active": params.get("active", True),
            "created": world.now,
            "default_price": None,
            "description": emptied(params.get("description")),
            "images": params.get("images") or [],
            "livemode": False,
            "marketing_features": params.get("marketing_features") or [],
            "metadata": merged_metadata({}, params.get("metadata")),
            "name": params["name"],
            "package_dimensions": None,
            "shippable": None,
            "statement_descriptor": params.get("statement_descriptor"),
            "tax_code": params.get("tax_code"),
            "type": "service",
            "unit_label": emptied(params.get("unit_label")),
            "updated": world.now,
            "url": emptied(params.get("url")),
        },
    )
    events.emit(world, "product.created", product)
    return product


def update(world: World, product_id: str, params: Object) -> Object:
    """Change what the parameters name."""
    before = world.store.get(KIND, product_id)
    changes: Object = {name: emptied(params[name]) for name in PLAIN if name in params}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    for name in ("images", "marketing_features"):
        if name in changes:
            changes[name] = changes[name] or []
    after = world.store.change(KIND, product_id, **changes, updated=world.now)
    events.emit(world, "product.updated", after, before=before)
    return after


def delete(world: World, product_id: str) -> Object:
    """Delete a product that has no prices."""
    product = world.store.get(KIND, product_id)
    if any(world.store.where("price", product=product_id)):
        raise InvalidRequest("This product cannot be deleted because it has one or more user-created prices.", param="id")
    events.emit(world, "product.deleted", product)
    world.store.replace(KIND, {"id": product_id, "object": "product", "deleted": True})
    return {"id": product_id, "object": "product", "deleted": True}


def name_of(world: World, item: Object) -> str:
    """Return the name of the product that a subscription item sells."""
    product = world.store.find(KIND, item["price"]["product"])
    return str(product["name"]) if product and not product.get("deleted") else str(item["price"]["product"])
