"""Discounts: a coupon applied to a customer, a subscription or an invoice, from a moment on and maybe until another."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..errors import InvalidRequest
from ..objects import Object
from ..periods import months_later
from ..shapes import blank
from ..totals import Cut
from ..world import World, moment
from . import coupons, events, promotion_codes

KIND = "discount"


def apply(
    world: World,
    given: Object,
    *,
    customer: str | None,
    amount: int,
    subscription: str | None = None,
    param: str = "discounts",
    **values: object,
) -> Object:
    """Redeem a coupon or promotion code, or take up an existing discount, as one entry of a `discounts` parameter asks.

    Args:
        amount: what is bought, minor units, for a code's minimum.
        values: fields that differ from the usual.

    Raises:
        InvalidRequest: the entry names none of the three, or what it names cannot be redeemed.
    """
    if "discount" in given:
        return world.store.get(KIND, given["discount"], param=param)
    coupon_id, code_id = given.get("coupon"), given.get("promotion_code")
    if code_id:
        code = world.store.get(promotion_codes.KIND, code_id, param=param)
        coupon_id = promotion_codes.redeem(world, code, customer, amount=amount, param=param)
    if not coupon_id:
        raise InvalidRequest("Each discount needs a coupon, a promotion code or a discount.", code="parameter_missing", param=param)
    coupon = coupons.redeem(world, coupon_id, param=param)
    months = coupon["duration_in_months"]
    discount = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("di"),
            "customer": customer,
            "end": int(months_later(moment(world.now), months).timestamp()) if months else None,
            "promotion_code": code_id,
            "source": {"type": "coupon", "coupon": coupon["id"]},
            "start": world.now,
            "subscription": subscription,
            **values,
        },
    )
    events.emit(world, "customer.discount.created", discount)
    return discount


def end(world: World, discount_id: str) -> Object:
    """Let a discount end now."""
    ended = world.store.change(KIND, discount_id, end=world.now)
    events.emit(world, "customer.discount.deleted", ended)
    return ended


def cuts(world: World, discounts: Sequence[str], *, currency: str) -> list[Cut]:
    """Return what the running ones among some discounts take off in a currency."""
    found = []
    for discount_id in discounts:
        discount = world.store.get(KIND, discount_id)
        coupon = coupons.whole(world, discount["source"]["coupon"])
        is_running = discount["end"] is None or discount["end"] > world.now
        if is_running and coupon["currency"] in (None, currency):
            found.append(cut(discount_id, coupon))
    return found


def is_spent(world: World, discount_id: str, *, was_used: bool) -> bool:
    """Has a discount ended, or was it for one invoice only and that was this one?"""
    discount = world.store.get(KIND, discount_id)
    is_over = discount["end"] is not None and discount["end"] <= world.now
    return is_over or (was_used and coupons.whole(world, discount["source"]["coupon"])["duration"] == "once")


def cut(discount_id: str, coupon: Object) -> Cut:
    """Return what a coupon takes off, under a discount's id."""
    percent = coupon["percent_off"]
    products = coupon.get("applies_to", {}).get("products")
    return Cut(
        discount=discount_id,
        percent=None if percent is None else Decimal(str(percent)),
        amount=coupon["amount_off"] or 0,
        products=frozenset(products) if products else None,
    )
