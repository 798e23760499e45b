"""Promotion codes: words that customers type for a coupon."""

from __future__ import annotations

from ..errors import InvalidRequest, NotSupported
from ..objects import Object, merged_metadata
from ..shapes import blank
from ..world import World
from . import coupons, customers, events

KIND = "promotion_code"


def create(world: World, params: Object) -> Object:
    """Add a code for a coupon; raises InvalidRequest when an active code has the same letters."""
    promotion = params["promotion"]
    if promotion["type"] != "coupon" or "coupon" not in promotion:
        raise InvalidRequest("A promotion of type coupon needs its coupon.", param="promotion[coupon]")
    coupon = world.store.get(coupons.KIND, promotion["coupon"], param="promotion[coupon]")
    if params.get("customer"):
        world.store.get(customers.KIND, params["customer"], param="customer")
    code_id = world.new_id("promo")
    code = params.get("code") or code_id[-8:].upper()
    if find(world, code) is not None:
        raise InvalidRequest(f"An active promotion code with `code: {code}` already exists.", param="code")
    restrictions = params.get("restrictions", {})
    if "currency_options" in restrictions:
        raise NotSupported("minimum amounts by currency", param="restrictions[currency_options]")
    made = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": code_id,
            "active": params.get("active", True),
            "code": code,
            "created": world.now,
            "customer": params.get("customer"),
            "expires_at": params.get("expires_at"),
            "livemode": False,
            "max_redemptions": params.get("max_redemptions"),
            "metadata": merged_metadata({}, params.get("metadata")),
            "promotion": {"type": "coupon", "coupon": coupon["id"]},
            "restrictions": {
                "first_time_transaction": restrictions.get("first_time_transaction", False),
                "minimum_amount": restrictions.get("minimum_amount"),
                "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
            },
            "times_redeemed": 0,
        },
    )
    events.emit(world, "promotion_code.created", made)
    return made


def update(world: World, code_id: str, params: Object) -> Object:
    """Switch a code on or off, or change its metadata."""
    before = world.store.get(KIND, code_id)
    changes: Object = {"active": params["active"]} if "active" in params else {}
    after = world.store.change(KIND, code_id, **changes, metadata=merged_metadata(before["metadata"], params.get("metadata")))
    events.emit(world, "promotion_code.updated", after, before=before)
    return after


def find(world: World, code: str) -> Object | None:
    """Return the active code with these letters, whatever their case."""
    return next((each for each in world.store.where(KIND, active=True) if each["code"].lower() == code.lower()), None)


def redeem(world: World, code: Object, customer_id: str | None, *, amount: int, param: str) -> str:
    """Count a redemption and return the coupon's id; raises what `refuse` does."""
    refuse(world, code, customer_id, amount=amount, param=param)
    times = code["times_redeemed"] + 1
    still_active = code["max_redemptions"] is None or times < code["max_redemptions"]
    world.store.change(KIND, code["id"], times_redeemed=times, active=still_active)
    return str(code["promotion"]["coupon"])


def refuse(world: World, code: Object, customer_id: str | None, *, amount: int, param: str) -> None:
    """Raise unless the code can be redeemed.

    Args:
        customer_id: None is somebody who is no customer yet.
        amount: what is bought, minor units, for a minimum.

    Raises:
        InvalidRequest: inactive, expired, used up, another customer's, below its minimum, or not the customer's first purchase.
    """
    rules = code["restrictions"]
    has_bought = customer_id is not None and any(world.store.where("charge", customer=customer_id, paid=True))
    refusals = {
        "This promotion code is inactive.": not code["active"],
        "This promotion code has expired.": bool(code["expires_at"] and code["expires_at"] <= world.now),
        "This promotion code cannot be redeemed because it belongs to another customer.": code["customer"] not in (None, customer_id),
        "This promotion code cannot be redeemed because the associated customer has prior transactions.": bool(
            rules["first_time_transaction"] and has_bought
        ),
        "This promotion code cannot be redeemed because the total is below its minimum.": amount < (rules["minimum_amount"] or 0),
    }
    for sentence, applies in refusals.items():
        if applies:
            raise InvalidRequest(sentence, param=param)
