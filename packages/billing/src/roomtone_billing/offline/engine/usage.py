"""What meters counted, billed after the period in which it was counted; drafts take up what is reported late until they are finalised.

Source: https://docs.stripe.com/billing/subscriptions/usage-based/how-it-works
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..objects import Object
from ..resources import invoices, meters, prices, products
from ..resources.invoice_lines import Line
from ..world import World
from . import drafting, proration


def lines(world: World, customer_id: str, items: Sequence[Object], *, until: int) -> list[Line]:
    """Return a line for each metered item's usage in its current period, up to a moment (unix seconds)."""
    counted = []
    for item in items:
        if prices.is_metered(item["price"]):
            base = proration.metered(item, until=until)
            counted.append(_filled(world, customer_id, base))
    return counted


def was_used(world: World, customer_id: str, item: Object) -> bool:
    """Has a metered item been used in its current period?"""
    return bool(prices.is_metered(item["price"]) and lines(world, customer_id, [item], until=world.now + 1)[0].used != "0")


def take_late(world: World, invoice_id: str) -> None:
    """Count the usage on a draft anew."""
    kept = drafting.lines_of(world, invoice_id)
    if not any(each.used for each in kept):
        return
    customer = world.store.get(invoices.KIND, invoice_id)["customer"]
    drafting.rebuild(world, invoice_id, [_filled(world, customer, each) if each.used else each for each in kept])


def _filled(world: World, customer_id: str, line: Line) -> Line:
    assert line.price is not None, "usage has a price"
    meter = world.store.get(meters.KIND, line.price["recurring"]["meter"])
    used = meters.total(world, meter, customer=customer_id, start=line.start, end=line.end)
    name = products.name_of(world, {"price": line.price})
    text = f"{used.normalize():f}"
    return replace(
        line,
        amount=prices.cost(line.price, used),
        description=f"{text} × {name} (at {proration.each_text(line.price)})",
        quantity=int(used) if used == used.to_integral_value() else None,
        used=text,
    )
