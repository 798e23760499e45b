"""Invoice payments: which payment intent pays which invoice, and how much of it."""

from __future__ import annotations

from ..objects import Object
from ..world import World
from . import events

KIND = "invoice_payment"
LINK = "payment_of_invoice"


def create(world: World, invoice: Object, intent: Object) -> Object:
    """Add the open payment of a finalised invoice."""
    payment_id = world.new_id("inpay")
    world.store.replace(LINK, {"id": invoice["id"], "payment": payment_id})
    world.store.add(LINK, {"id": intent["id"], "payment": payment_id})
    return world.store.add(
        KIND,
        {
            "id": payment_id,
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": intent["amount"],
            "created": world.now,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        },
    )


def of(world: World, owner_id: str) -> Object | None:
    """Return the payment of an invoice, or by a payment intent; None when there is none."""
    link = world.store.find(LINK, owner_id)
    return world.store.find(KIND, link["payment"]) if link else None


def mark_paid(world: World, payment: Object) -> Object:
    """The intent brought the whole amount."""
    paid = world.store.change(
        KIND,
        payment["id"],
        status="paid",
        amount_paid=payment["amount_requested"],
        status_transitions={"canceled_at": None, "paid_at": world.now},
    )
    events.emit(world, "invoice_payment.paid", paid)
    return paid


def cancel(world: World, payment: Object) -> Object:
    """The invoice is void or was settled without it."""
    return world.store.change(KIND, payment["id"], status="canceled", status_transitions={"canceled_at": world.now, "paid_at": None})
