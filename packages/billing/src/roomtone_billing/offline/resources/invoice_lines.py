"""Invoice lines: what each amount is for."""

from __future__ import annotations

from dataclasses import dataclass

from ..objects import Object
from ..world import World


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line before it stands on an invoice.

    Attributes:
        amount: minor units; negative for a credit.
        start, end: the period it pays for, unix seconds.
        is_proration: part of a period, because something changed in the middle.
    """

    amount: int
    description: str
    price: Object
    quantity: int
    start: int
    end: int
    subscription: str
    subscription_item: str
    is_proration: bool = False


def build(world: World, line: Line, *, invoice_id: str, metadata: dict[str, str]) -> Object:
    """Return the line as Stripe shows it."""
    return {
        "id": world.new_id("il"),
        "object": "line_item",
        "amount": line.amount,
        "currency": line.price["currency"],
        "description": line.description,
        "discount_amounts": [],
        "discountable": not line.is_proration,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": metadata,
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": line.is_proration,
                "proration_details": {"credited_items": None} if line.is_proration else None,
                "subscription": line.subscription,
                "subscription_item": line.subscription_item,
            },
            "type": "subscription_item_details",
        },
        "period": {"end": line.end, "start": line.start},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": line.price["id"], "product": line.price["product"]},
            "type": "price_details",
            "unit_amount_decimal": line.price["unit_amount_decimal"],
        },
        "quantity": line.quantity,
        "quantity_decimal": str(line.quantity),
        "subscription": line.subscription,
        "subtotal": line.amount,
        "taxes": [],
    }
