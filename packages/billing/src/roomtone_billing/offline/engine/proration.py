"""Proration by the second: what the rest of a period is worth, as credit for the old items and as debit for the new ones."""

from __future__ import annotations

from dataclasses import replace

from ..money import format_unit
from ..objects import Object
from ..resources import prices
from ..resources.invoice_lines import Line
from ..world import moment


def share(amount: int, *, start: int, end: int, at: int) -> int:
    """Return the part of `amount` (minor units) for the time from `at` to `end`, rounded half up.

    >>> share(3000, start=0, end=30, at=10)
    2000
    """
    whole_s = end - start
    left_s = min(max(0, end - at), whole_s)
    return (2 * amount * left_s + whole_s) // (2 * whole_s)


def credit(item: Object, *, name: str, at: int, debited: int) -> Line:
    """Return the credit for the unused time of an item.

    Args:
        name: its product's.
        debited: what the whole period was debited at, after discounts: a credit is never more than that.
    """
    start, end = item["current_period_start"], item["current_period_end"]
    amount = share(debited, start=start, end=end, at=at)
    return _line(item, -amount, f"Unused time on {name} after {day(at)}", start=at, is_proration=True)


def debit(item: Object, *, name: str, at: int, debits: int) -> Line:
    """Return the charge for the remaining time of an item; `debits` is its whole period's price after discounts."""
    start, end = item["current_period_start"], item["current_period_end"]
    amount = share(debits, start=start, end=end, at=at)
    return _line(item, amount, f"Remaining time on {name} after {day(at)}", start=at, is_proration=True)


def whole(item: Object, *, name: str, is_trial: bool = False) -> Line:
    """Return the line for an item's whole period; a trial costs nothing."""
    start = item["current_period_start"]
    if is_trial:
        return _line(item, 0, f"Trial period for {name}", start=start)
    price = item["price"]
    return _line(item, full_amount(item), f"{item['quantity']} × {name} (at {each_text(price)})", start=start)


def metered(item: Object, *, until: int) -> Line:
    """Return the line for what is counted of an item from its period's start to a moment, not counted yet."""
    return replace(_line(item, 0, "", start=item["current_period_start"]), end=until, used="0")


def full_amount(item: Object) -> int:
    """Return what an item's whole period costs when it begins, in minor units; nothing where a meter counts."""
    return prices.upfront(item["price"], item.get("quantity"))


def each_text(price: Object) -> str:
    """Return a unit's price as people read it."""
    return f"{format_unit(price['unit_amount_decimal'], price['currency'])} / {price['recurring']['interval']}"


def day(at: int) -> str:
    """Return a date such as `23 Nov 2026`."""
    return moment(at).strftime("%d %b %Y")


def _line(item: Object, amount: int, text: str, *, start: int, is_proration: bool = False) -> Line:
    return Line(
        amount=amount,
        description=text,
        price=item["price"],
        quantity=item.get("quantity"),
        start=start,
        end=item["current_period_end"],
        subscription=item["subscription"],
        subscription_item=item["id"],
        is_proration=is_proration,
        rates=tuple(each["id"] for each in item.get("tax_rates", [])),
    )
