"""What a platform earns and passes on: application fees on direct charges, transfers on destination charges."""

from __future__ import annotations

from ..objects import Object, listing
from ..shapes import blank
from ..world import World
from . import events

FEE = "application_fee"
FEE_REFUND = "fee_refund"
TRANSFER = "transfer"


def collect(world: World, charge: Object, amount: int, *, account: str) -> Object:
    """Take the platform's fee for a charge from a connected account; the fee belongs to the platform."""
    with world.store.seen_as(None):
        fee_id = world.new_id("fee")
        fee = world.store.add(
            FEE,
            {
                **blank(FEE),
                "id": fee_id,
                "account": account,
                "amount": amount,
                "amount_refunded": 0,
                "application": "ca_offline",
                "charge": charge["id"],
                "created": world.now,
                "currency": charge["currency"],
                "livemode": False,
                "refunded": False,
                "refunds": listing([], url=f"/v1/application_fees/{fee_id}/refunds"),
            },
        )
        events.emit(world, "application_fee.created", fee)
    world.store.change("charge", charge["id"], application_fee=fee_id)
    return fee


def give_back(world: World, fee_id: str, amount: int) -> Object:
    """Return a part of a fee to the account it was taken from."""
    with world.store.seen_as(None):
        before = world.store.get(FEE, fee_id)
        refund = {
            **blank(FEE_REFUND),
            "id": world.new_id("fr"),
            "amount": amount,
            "created": world.now,
            "currency": before["currency"],
            "fee": fee_id,
            "metadata": {},
        }
        back = before["amount_refunded"] + amount
        refunds = {**before["refunds"], "data": [refund, *before["refunds"]["data"]]}
        fee = world.store.change(FEE, fee_id, amount_refunded=back, refunded=back == before["amount"], refunds=refunds)
        events.emit(world, "application_fee.refunded", fee, before=before)
        return refund


def transfer(world: World, charge: Object, destination: str, amount: int) -> Object:
    """Pass a destination charge on to its account."""
    transfer_id = world.new_id("tr")
    made = world.store.add(
        TRANSFER,
        {
            **blank(TRANSFER),
            "id": transfer_id,
            "amount": amount,
            "amount_reversed": 0,
            "created": world.now,
            "currency": charge["currency"],
            "destination": destination,
            "livemode": False,
            "metadata": {},
            "reversals": listing([], url=f"/v1/transfers/{transfer_id}/reversals"),
            "reversed": False,
            "source_transaction": charge["id"],
            "source_type": "card",
            "transfer_group": charge["transfer_group"],
        },
    )
    events.emit(world, "transfer.created", made)
    world.store.change("charge", charge["id"], transfer=transfer_id)
    return made


def reverse(world: World, transfer_id: str, amount: int) -> Object:
    """Take a part of a transfer back from its account."""
    before = world.store.get(TRANSFER, transfer_id)
    reversal = {
        **blank("transfer_reversal"),
        "id": world.new_id("trr"),
        "amount": amount,
        "created": world.now,
        "currency": before["currency"],
        "metadata": {},
        "transfer": transfer_id,
    }
    back = before["amount_reversed"] + amount
    reversals = {**before["reversals"], "data": [reversal, *before["reversals"]["data"]]}
    after = world.store.change(TRANSFER, transfer_id, amount_reversed=back, reversed=back == before["amount"], reversals=reversals)
    events.emit(world, "transfer.reversed", after, before=before)
    return reversal
