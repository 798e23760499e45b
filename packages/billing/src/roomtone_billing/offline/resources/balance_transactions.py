"""The customer's balance as a journal: negative is credit of the customer, and every change has its entry."""

from __future__ import annotations

from ..objects import Object, merged_metadata
from ..shapes import blank
from ..world import World
from . import customers

KIND = "customer_balance_transaction"


def move(
    world: World,
    customer_id: str,
    amount: int,
    *,
    kind: str,
    currency: str,
    invoice: str | None = None,
    credit_note: str | None = None,
    description: str | None = None,
    metadata: Object | None = None,
) -> Object:
    """Change a customer's balance by an amount (minor units, negative gives credit) and return the entry."""
    ending = world.store.get(customers.KIND, customer_id)["balance"] + amount
    entry = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("cbtxn"),
            "amount": amount,
            "created": world.now,
            "credit_note": credit_note,
            "currency": currency,
            "customer": customer_id,
            "description": description,
            "ending_balance": ending,
            "invoice": invoice,
            "livemode": False,
            "metadata": merged_metadata({}, metadata),
            "type": kind,
        },
    )
    customers.change(world, customer_id, balance=ending)
    return entry
