"""Coupons: what a discount takes off, and for how long. Only name and metadata ever change."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object, emptied, merged_metadata
from ..shapes import blank
from ..world import World
from . import events

KIND = "coupon"


def create(world: World, params: Object) -> Object:
    """Add a coupon; its id may be the caller's.

    Raises:
        InvalidRequest: not exactly one of amount and percentage, an amount without a currency, or a term that does not fit the duration.
    """
    _refuse_senseless(params)
    coupon_id = params.get("id") or world.new_id("cpn", length=8).removeprefix("cpn_")
    found = world.store.find(KIND, coupon_id)
    if found and not found.get("deleted"):
        raise InvalidRequest("Coupon already exists.", code="resource_already_exists", param="id")
    coupon = world.store.replace(
        KIND,
        {
            **blank(KIND),
            "id": coupon_id,
            "amount_off": params.get("amount_off"),
            "created": world.now,
            "currency": params.get("currency") if "amount_off" in params else None,
            "duration": params.get("duration", "once"),
            "duration_in_months": params.get("duration_in_months"),
            "livemode": False,
            "max_redemptions": params.get("max_redemptions"),
            "metadata": merged_metadata({}, params.get("metadata")),
            "name": params.get("name"),
            "percent_off": params.get("percent_off"),
            "redeem_by": params.get("redeem_by"),
            "times_redeemed": 0,
            "valid": True,
            **({"applies_to": {"products": params["applies_to"]["products"]}} if "applies_to" in params else {}),
        },
    )
    events.emit(world, "coupon.created", coupon)
    return coupon


def update(world: World, coupon_id: str, params: Object) -> Object:
    """Change name and metadata."""
    before = world.store.get(KIND, coupon_id)
    changes: Object = {"name": emptied(params["name"])} if "name" in params else {}
    after = world.store.change(KIND, coupon_id, **changes, metadata=merged_metadata(before["metadata"], params.get("metadata")))
    events.emit(world, "coupon.updated", after, before=before)
    return after


def delete(world: World, coupon_id: str) -> Object:
    """Delete a coupon; discounts that use it go on."""
    coupon = world.store.get(KIND, coupon_id)
    stub = {"id": coupon_id, "object": "coupon", "deleted": True}
    world.store.replace(KIND, stub)
    world.store.replace("former_coupon", coupon)
    events.emit(world, "coupon.deleted", coupon)
    return stub


def whole(world: World, coupon_id: str) -> Object:
    """Return a coupon even after its deletion, for the discounts that it gave."""
    found = world.store.find("former_coupon", coupon_id)
    return found or world.store.get(KIND, coupon_id)


def redeem(world: World, coupon_id: str, *, param: str) -> Object:
    """Count a redemption and return the coupon; raises InvalidRequest when it is used up or past its date."""
    coupon = redeemable(world, coupon_id, param=param)
    times = coupon["times_redeemed"] + 1
    still_valid = coupon["max_redemptions"] is None or times < coupon["max_redemptions"]
    return world.store.change(KIND, coupon_id, times_redeemed=times, valid=still_valid)


def redeemable(world: World, coupon_id: str, *, param: str) -> Object:
    """Return a coupon; raises InvalidRequest when it is used up or past its date."""
    coupon = world.store.get(KIND, coupon_id, param=param)
    if not coupon["valid"] or (coupon["redeem_by"] and coupon["redeem_by"] <= world.now):
        raise InvalidRequest(f"Coupon {coupon_id} is used up or has expired.", code="coupon_expired", param=param)
    return coupon


def _refuse_senseless(params: Object) -> None:
    if ("amount_off" in params) == ("percent_off" in params):
        raise InvalidRequest("You must pass either `percent_off` or `amount_off`, and not both.", param="percent_off")
    if "amount_off" in params and "currency" not in params:
        raise InvalidRequest("You must pass `currency` with `amount_off`.", code="parameter_missing", param="currency")
    if params.get("amount_off", 1) <= 0:
        raise InvalidRequest("Invalid positive integer", code="parameter_invalid_integer", param="amount_off")
    if not 0 < params.get("percent_off", 1) <= 100:
        raise InvalidRequest("Invalid percent_off: it must be above 0 and at most 100.", param="percent_off")
    if (params.get("duration", "once") == "repeating") != ("duration_in_months" in params):
        raise InvalidRequest("`duration_in_months` belongs to `duration=repeating`, which needs it.", param="duration_in_months")
    if params.get("duration_in_months", 1) < 1:
        raise InvalidRequest("Invalid positive integer", code="parameter_invalid_integer", param="duration_in_months")
