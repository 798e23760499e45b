"""What a subscription of a marketplace says about its invoices' money: the platform's fee, and the account that gets the rest."""

from __future__ import annotations

from decimal import Decimal

from ..objects import Object
from ..totals import rounded
from ..world import World


def of(world: World, subscription: Object | None, invoice: Object) -> Object:
    """Return the fields of the payment intent; the fee is a share of the invoice's total, and at most what is due."""
    terms: Object = {}
    if subscription is None:
        return terms
    has_recipient = world.store.account is not None or subscription["transfer_data"]
    if subscription["application_fee_percent"] and has_recipient:
        fee = rounded(Decimal(str(subscription["application_fee_percent"])) * invoice["total"] / 100)
        terms["application_fee_amount"] = min(fee, invoice["amount_due"])
    if subscription["transfer_data"]:
        terms["transfer_data"] = {"destination": subscription["transfer_data"]["destination"]}
    return terms
