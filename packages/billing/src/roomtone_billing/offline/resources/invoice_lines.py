"""Invoice lines: what each amount is for, what discounts take off it, and the tax it bears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .. import totals
from ..objects import Object
from ..totals import Cut, Position, Worked
from ..world import World
from . import tax_rates


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line before it stands on an invoice.

    Attributes:
        amount: minor units; negative for a credit.
        start, end: the period it pays for, unix seconds.
        subscription, subscription_item: what it belongs to; None for an invoice item on its own.
        invoice_item: the invoice item it comes from.
        is_proration: part of a period, because something changed in the middle; its amount has the discounts inside already.
        quantity: None where `used`, a decimal, is no whole number.
        used: what a meter counted, for the item of a metered price.
        rates: ids of the line's own tax rates; empty takes the invoice's.
    """

    amount: int
    description: str | None
    start: int
    end: int
    price: Object | None = None
    currency: str = ""
    quantity: int | None = 1
    used: str | None = None
    subscription: str | None = None
    subscription_item: str | None = None
    invoice_item: str | None = None
    is_proration: bool = False
    is_discountable: bool = True
    rates: Sequence[str] = ()
    metadata: Object | None = None

    def taxed(self, default: Sequence[str]) -> Line:
        """Return the line with the invoice's tax rates where it has none of its own."""
        return self if self.rates else replace(self, rates=tuple(default))


def build_all(world: World, lines: Sequence[Line], *, cuts: Sequence[Cut], invoice_id: str, metadata: Object) -> list[Object]:
    """Return the lines as Stripe shows them, discounted and taxed."""
    worked = totals.work_out([_position(world, line) for line in lines], cuts)
    return [
        _build(world, line, each, cuts=cuts, invoice_id=invoice_id, metadata=metadata) for line, each in zip(lines, worked, strict=True)
    ]


def _position(world: World, line: Line) -> Position:
    return Position(
        amount=line.amount,
        product=line.price["product"] if line.price else None,
        is_discountable=line.is_discountable and not line.is_proration,
        rates=tuple(tax_rates.to_rate(world.store.get(tax_rates.KIND, each)) for each in line.rates),
    )


def _build(world: World, line: Line, worked: Worked, *, cuts: Sequence[Cut], invoice_id: str, metadata: Object) -> Object:
    taken = [{"amount": amount, "discount": cut.discount} for amount, cut in zip(worked.discounts, cuts, strict=True) if amount]
    return {
        "id": world.new_id("il"),
        "object": "line_item",
        "amount": line.amount,
        "currency": line.price["currency"] if line.price else line.currency,
        "description": line.description,
        "discount_amounts": taken,
        "discountable": line.is_discountable and not line.is_proration,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": metadata if line.metadata is None else line.metadata,
        "parent": _parent(line),
        "period": {"end": line.end, "start": line.start},
        "pretax_credit_amounts": [{**each, "type": "discount"} for each in taken],
        "pricing": _pricing(line),
        "quantity": line.quantity,
        "quantity_decimal": line.used or str(line.quantity),
        "subscription": line.subscription,
        "subtotal": line.amount,
        "taxes": [
            tax_rates.shown(world.store.get(tax_rates.KIND, rate), amount, worked.taxable)
            for rate, amount in zip(line.rates, worked.taxes, strict=True)
        ],
    }


def _parent(line: Line) -> Object:
    proration = {"proration": line.is_proration, "proration_details": {"credited_items": None} if line.is_proration else None}
    if line.subscription_item is not None:
        details = {"invoice_item": line.invoice_item, **proration, "subscription": line.subscription}
        details["subscription_item"] = line.subscription_item
        return {"invoice_item_details": None, "subscription_item_details": details, "type": "subscription_item_details"}
    item = {"invoice_item": line.invoice_item, **proration, "subscription": line.subscription}
    return {"invoice_item_details": item, "subscription_item_details": None, "type": "invoice_item_details"}


def _pricing(line: Line) -> Object | None:
    if line.price is None:
        return {"type": "price_details", "unit_amount_decimal": str(line.amount)} if line.quantity == 1 else None
    return {
        "price_details": {"price": line.price["id"], "product": line.price["product"]},
        "type": "price_details",
        "unit_amount_decimal": line.price["unit_amount_decimal"],
    }
