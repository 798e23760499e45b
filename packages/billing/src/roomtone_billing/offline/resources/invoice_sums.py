"""The sums of an invoice: nothing but its lines and the customer's balance moves them."""

from __future__ import annotations

from collections.abc import Sequence

from ..objects import Object


def sums(lines: Sequence[Object]) -> Object:
    """Return the sums of shown lines: what they cost, lose to discounts and bear in tax."""
    subtotal = sum(each["amount"] for each in lines)
    off = _gathered([each for line in lines for each in line["discount_amounts"]])
    bearing = [each for line in lines for each in line["taxes"]]
    exclusive = sum(each["amount"] for each in bearing if each["tax_behavior"] == "exclusive")
    inclusive = sum(each["amount"] for each in bearing) - exclusive
    total = subtotal - sum(each["amount"] for each in off) + exclusive
    return {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inclusive,
        "total": total,
        "total_discount_amounts": off,
        "total_excluding_tax": total - exclusive - inclusive,
        "total_pretax_credit_amounts": [{**each, "type": "discount"} for each in off],
        "total_taxes": _gathered_taxes(bearing),
    }


def dues(*, total: int, balance: int) -> Object:
    """Return what an unpaid invoice asks for, given its total and the customer's balance (negative: credit of the customer)."""
    due = max(0, total + balance)
    return {"amount_due": due, "amount_paid": 0, "amount_remaining": due, "ending_balance": None, "starting_balance": balance}


def _gathered(parts: Sequence[Object]) -> list[Object]:
    whole: dict[str, int] = {}
    for each in parts:
        whole[each["discount"]] = whole.get(each["discount"], 0) + each["amount"]
    return [{"amount": amount, "discount": discount} for discount, amount in whole.items()]


def _gathered_taxes(parts: Sequence[Object]) -> list[Object]:
    whole: dict[str, Object] = {}
    for each in parts:
        rate = each["tax_rate_details"]["tax_rate"]
        before = whole.get(rate, {**each, "amount": 0, "taxable_amount": 0})
        added = {name: before[name] + each[name] for name in ("amount", "taxable_amount")}
        whole[rate] = {**before, **added}
    return list(whole.values())
