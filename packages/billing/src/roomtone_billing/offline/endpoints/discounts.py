"""/v1/coupons and /v1/promotion_codes."""

from __future__ import annotations

from ..lists import page
from ..objects import Object
from ..resources import coupons, promotion_codes
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving

COUPON = "id amount_off percent_off currency duration duration_in_months max_redemptions redeem_by name metadata applies_to expand"
CODE = "code promotion customer active expires_at max_redemptions metadata restrictions expand"


def _create_coupon(world: World, call: Call) -> Object:
    return coupons.create(world, call.params)


def _update_coupon(world: World, call: Call) -> Object:
    return coupons.update(world, call.id, call.params)


def _delete_coupon(world: World, call: Call) -> Object:
    return coupons.delete(world, call.id)


def _create_code(world: World, call: Call) -> Object:
    return promotion_codes.create(world, call.params)


def _update_code(world: World, call: Call) -> Object:
    return promotion_codes.update(world, call.id, call.params)


def _list_codes(world: World, call: Call) -> Object:
    """Letters are compared whatever their case, as Stripe's reference says."""
    exact = {name: call.params[name] for name in ("active", "customer") if name in call.params}
    letters = call.params.get("code")
    found = [
        each for each in world.store.where(promotion_codes.KIND, **exact) if letters is None or each["code"].lower() == letters.lower()
    ]
    return page(found, call.params, url=call.path)


ROUTES = (
    Route("post /v1/coupons", _create_coupon, COUPON),
    Route("get /v1/coupons", listing(coupons.KIND), LIST),
    Route("get /v1/coupons/{coupon}", retrieving(coupons.KIND)),
    Route("post /v1/coupons/{coupon}", _update_coupon, "name metadata expand"),
    Route("delete /v1/coupons/{coupon}", _delete_coupon),
    Route("post /v1/promotion_codes", _create_code, CODE),
    Route("get /v1/promotion_codes", _list_codes, f"{LIST} active code customer"),
    Route("get /v1/promotion_codes/{promotion_code}", retrieving(promotion_codes.KIND)),
    Route("post /v1/promotion_codes/{promotion_code}", _update_code, "active metadata expand"),
)
