"""Refunds: money that goes back; never more than the charge brought."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object, merged_metadata
from ..shapes import blank
from ..world import World
from . import charges, events

KIND = "refund"


def create(world: World, charge_id: str, *, amount: int | None, reason: str | None = None, metadata: Object | None = None) -> Object:
    """Give back a part of a charge, or all that is left of it.

    Args:
        amount: minor units, at least 1; None is the rest.

    Raises:
        InvalidRequest: the charge brought nothing, is disputed, or has less left.
    """
    charge = world.store.get(charges.KIND, charge_id, param="charge")
    left = charge["amount_captured"] - refunded(world, charge_id)
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise InvalidRequest(f"Charge {charge_id} has brought no money that could be refunded.", param="charge")
    if charge["disputed"]:
        raise InvalidRequest(f"Charge {charge_id} has been charged back; cannot issue a refund.", code="charge_disputed", param="charge")
    if left <= 0:
        raise InvalidRequest(f"Charge {charge_id} has already been refunded.", code="charge_already_refunded", param="charge")
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise InvalidRequest(
            f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left}), or not positive.", param="amount"
        )
    refund = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("re"),
            "amount": wanted,
            "charge": charge_id,
            "created": world.now,
            "currency": charge["currency"],
            "customer": charge["customer"],
            "metadata": merged_metadata({}, metadata),
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": reason,
            "status": "succeeded",
        },
    )
    events.emit(world, "refund.created", refund)
    charges.note_refund(world, charge_id, wanted)
    return refund


def update(world: World, refund_id: str, params: Object) -> Object:
    """Change the metadata."""
    before = world.store.get(KIND, refund_id)
    after = world.store.change(KIND, refund_id, metadata=merged_metadata(before["metadata"], params.get("metadata")))
    events.emit(world, "refund.updated", after, before=before)
    return after


def refunded(world: World, charge_id: str) -> int:
    """Return how much of a charge has gone back, minor units."""
    return sum(each["amount"] for each in world.store.where(KIND, charge=charge_id, status="succeeded"))
