"""What each item's current period was debited at, after discounts: in flexible billing mode a credit is worked out from that.

Source: https://docs.stripe.com/billing/subscriptions/billing-mode
"""

from __future__ import annotations

from ..errors import NotSupported
from ..objects import Object
from ..resources import discounts
from ..totals import Position, work_out
from ..world import World
from .proration import full_amount

KIND = "debited"


def amount(world: World, item: Object) -> int:
    """Return what the item's whole period was debited at; its price where nothing was debited yet."""
    noted = world.store.find(KIND, item["id"])
    return int(noted["amount"]) if noted else full_amount(item)


def note_lines(world: World, invoice: Object) -> None:
    """Remember what an invoice's whole-period lines come to after discounts."""
    for line in invoice["lines"]["data"]:
        details = line["parent"]["subscription_item_details"]
        if details and not details["proration"]:
            off = sum(each["amount"] for each in line["discount_amounts"])
            note(world, details["subscription_item"], line["amount"] - off)


def note(world: World, item_id: str, whole: int) -> None:
    """Remember what an item's whole period is debited at."""
    world.store.replace(KIND, {"id": item_id, "amount": whole})


def discounted(world: World, subscription: Object, item: Object) -> int:
    """Return an item's whole price after the subscription's discounts.

    Raises:
        NotSupported: an amount is taken off the whole invoice, so no item's part of it is settled.
    """
    cuts = discounts.cuts(world, subscription["discounts"], currency=subscription["currency"])
    if any(cut.percent is None for cut in cuts):
        raise NotSupported("prorations under a coupon with amount_off; use percent_off, or proration_behavior=none", param="discounts")
    full = full_amount(item)
    worked = work_out([Position(amount=full, product=item["price"]["product"])], cuts)
    return full - sum(worked[0].discounts)
