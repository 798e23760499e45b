"""What a Checkout session sells: its lines, what a coupon takes off them, and what is due today."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object
from ..totals import Position, taxes, work_out
from ..world import World
from . import coupons, discounts, prices, promotion_codes, tax_rates


def read(world: World, params: Object, *, mode: str) -> list[Object]:
    """Return the lines that a session's parameters ask for.

    Raises:
        InvalidRequest: none where some are needed, some where none may be, or a price that does not fit the mode.
    """
    given = params.get("line_items") or []
    if mode == "setup":
        if given:
            raise InvalidRequest("You can not pass `line_items` in `setup` mode.", param="line_items")
        return []
    if not given:
        raise InvalidRequest(f"You must provide `line_items` in `{mode}` mode.", code="parameter_missing", param="line_items")
    lines = [_line(world, each, mode=mode, param=f"line_items[{place}]") for place, each in enumerate(given)]
    if mode == "subscription" and not any(each["price"]["recurring"] for each in lines):
        raise InvalidRequest("You must provide at least one recurring price in `subscription` mode when using prices.", param="line_items")
    return lines


def coupon_of(world: World, given: Object, *, customer: str | None, lines: list[Object], param: str) -> Object:
    """Return the discount that one entry of a `discounts` parameter means; nothing is redeemed yet.

    Raises:
        InvalidRequest: it cannot be redeemed by this customer for these lines.
    """
    code_id, coupon_id = given.get("promotion_code"), given.get("coupon")
    if code_id:
        code = world.store.get(promotion_codes.KIND, code_id, param=param)
        promotion_codes.refuse(world, code, customer, amount=sum(map(due, lines)), param=param)
        coupon_id = code["promotion"]["coupon"]
    if not coupon_id:
        raise InvalidRequest("Each discount needs a coupon or a promotion code.", code="parameter_missing", param=param)
    coupon = coupons.redeemable(world, coupon_id, param=param)
    if coupon["currency"] not in (None, lines[0]["price"]["currency"]):
        raise InvalidRequest(f"Coupon {coupon['id']} is for another currency.", param=param)
    return {"coupon": coupon["id"], "promotion_code": code_id}


def due(line: Object, *, is_trial: bool = False) -> int:
    """Return what a line costs today, before discounts: nothing in a trial or where a meter counts."""
    if prices.is_metered(line["price"]) or (is_trial and line["price"]["recurring"]):
        return 0
    return prices.cost(line["price"], line["quantity"])


def renewed(world: World, plan: Object) -> int:
    """Return what the renewing lines will cost each time, with tax and before discounts."""
    rates = [tax_rates.to_rate(world.store.get(tax_rates.KIND, each)) for each in plan.get("tax_rates", ())]
    costs = [due(line) for line in plan["lines"] if line["price"]["recurring"]]
    return sum(cost + sum(taxes(cost, rates)) for cost in costs)


def sums(world: World, plan: Object) -> Object:
    """Return a session's sums and its discount, as the session shows them."""
    parts = worked(world, plan)
    subtotal, off, tax = (sum(column) for column in zip(*parts, strict=True))
    return {
        "amount_subtotal": subtotal,
        "amount_total": subtotal - off + tax,
        "discounts": [plan["discount"]] if plan["discount"] else [],
        "total_details": {"amount_discount": off, "amount_shipping": 0, "amount_tax": tax},
    }


def worked(world: World, plan: Object) -> list[tuple[int, int, int]]:
    """Return what each line costs today, what the discount takes off it, and the tax on the rest."""
    is_trial = bool(plan["trial_days"] or plan["trial_end"])
    rates = tuple(tax_rates.to_rate(world.store.get(tax_rates.KIND, each)) for each in plan.get("tax_rates", ()))
    positions = [Position(amount=due(each, is_trial=is_trial), product=each["price"]["product"], rates=rates) for each in plan["lines"]]
    taken = plan["discount"]
    cuts = [discounts.cut("", coupons.whole(world, taken["coupon"]))] if taken else []
    return [(each.amount, sum(part.discounts), sum(part.taxes)) for each, part in zip(positions, work_out(positions, cuts), strict=True)]


def shown(world: World, plan: Object) -> list[Object]:
    """Return the line items as Stripe shows them."""
    return [_item(world, line, *parts) for line, parts in zip(plan["lines"], worked(world, plan), strict=True)]


def _item(world: World, line: Object, amount: int, off: int, tax: int) -> Object:
    product = world.store.find("product", line["price"]["product"]) or {}
    return {
        "id": line["item_id"],
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": off,
        "amount_subtotal": amount,
        "amount_tax": tax,
        "amount_total": amount - off + tax,
        "currency": line["price"]["currency"],
        "description": product.get("name", line["price"]["product"]),
        "metadata": {},
        "price": line["price"],
        "quantity": line["quantity"],
    }


def _line(world: World, given: Object, *, mode: str, param: str) -> Object:
    if ("price" in given) == ("price_data" in given):
        raise InvalidRequest(f"Missing required param: {param}[price].", code="parameter_missing", param=f"{param}[price]")
    if "price" in given:
        price = world.store.get(prices.KIND, given["price"], param=f"{param}[price]")
        if not price["active"]:
            raise InvalidRequest("The price specified is inactive. This field only accepts active prices.", param=f"{param}[price]")
    else:
        price = prices.create(world, {**given["price_data"], "active": False})
    if mode == "payment" and price["recurring"]:
        raise InvalidRequest("You specified `payment` mode but passed a recurring price. Use `subscription` mode.", param=f"{param}[price]")
    quantity: int | None = given.get("quantity", 1)
    if prices.is_metered(price):
        if "quantity" in given:
            raise InvalidRequest("Quantity should not be specified where usage_type is metered.", param=f"{param}[quantity]")
        quantity = None
    elif quantity is None or quantity < 1:
        raise InvalidRequest("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=f"{param}[quantity]")
    return {"price": price, "quantity": quantity, "item_id": world.new_id("li")}
