"""Drafts: opened by hand or by time, changed item by item, deleted; what stands on one is worked out anew at every change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InvalidRequest
from ..objects import Object
from ..resources import events, invoice_items, invoices
from ..resources.invoice_lines import Line
from ..world import World

LINES = "draft_lines"


def open_draft(
    world: World, billed: Object, lines: Sequence[Line], *, reason: str, period: tuple[int, int], takes_pending: bool = True, **values: Any
) -> Object:
    """Add a draft with these lines and, unless told otherwise, with the items that wait for the customer's next invoice."""
    waiting = (
        invoice_items.pending(world, billed["customer"], subscription=billed["id"], currency=billed["currency"]) if takes_pending else []
    )
    every = [*lines, *(invoice_items.line(world, each) for each in waiting)]
    invoice = invoices.draft(world, billed, every, reason=reason, period=period, **values)
    invoice_items.take_up(world, waiting, invoice["id"])
    world.store.replace(LINES, {"id": invoice["id"], "billed": billed, "lines": [dict(vars(each)) for each in every]})
    return invoice


def add_item(world: World, invoice_id: str, item: Object) -> Object:
    """Put an item on a draft."""
    kept = lines_of(world, invoice_id)
    return rebuild(world, invoice_id, [*kept, invoice_items.line(world, item)])


def change_item(world: World, invoice_id: str, item: Object) -> Object:
    """Work a draft out anew after one of its items has changed."""
    changed = [invoice_items.line(world, item) if each.invoice_item == item["id"] else each for each in lines_of(world, invoice_id)]
    return rebuild(world, invoice_id, changed)


def remove_item(world: World, invoice_id: str, item_id: str) -> Object:
    """Take an item off a draft."""
    return rebuild(world, invoice_id, [each for each in lines_of(world, invoice_id) if each.invoice_item != item_id])


def change_billing(world: World, invoice_id: str, **values: Any) -> Object:
    """Work a draft out anew with other discounts, tax rates or automatic tax."""
    kept = world.store.get(LINES, invoice_id)
    world.store.replace(LINES, {**kept, "billed": {**kept["billed"], **values}})
    return rebuild(world, invoice_id, lines_of(world, invoice_id))


def lines_of(world: World, invoice_id: str) -> list[Line]:
    """Return a draft's lines; raises InvalidRequest when it is no longer one."""
    refuse_closed(world.store.get(invoices.KIND, invoice_id))
    return [Line(**each) for each in world.store.get(LINES, invoice_id)["lines"]]


def rebuild(world: World, invoice_id: str, lines: Sequence[Line]) -> Object:
    """Put lines on a draft in place of those it has; lines that stay keep their ids."""
    before, kept = world.store.get(invoices.KIND, invoice_id), world.store.get(LINES, invoice_id)
    period = (before["period_start"], before["period_end"])
    built = invoices.build(world, kept["billed"], lines, reason=before["billing_reason"], period=period, invoice_id=invoice_id)
    shown = built["lines"]["data"]
    for place, old in enumerate(before["lines"]["data"][: len(shown)]):
        shown[place]["id"] = old["id"]
    moved = ("automatic_tax", "default_tax_rates", "discounts", "lines", *invoices.MONEY)
    world.store.replace(LINES, {**kept, "lines": [dict(vars(each)) for each in lines]})
    return invoices.change(world, invoice_id, **{name: built[name] for name in moved})


def delete(world: World, invoice_id: str) -> Object:
    """Delete a draft that no subscription made; its items wait again."""
    invoice = world.store.get(invoices.KIND, invoice_id)
    refuse_closed(invoice)
    if invoices.subscription_id(invoice) is not None:
        raise InvalidRequest("You can only delete draft invoices that no subscription made; void this one once it is open.")
    for each in list(world.store.where(invoice_items.KIND, invoice=invoice_id)):
        world.store.change(invoice_items.KIND, each["id"], invoice=None)
    events.emit(world, "invoice.deleted", invoice)
    world.store.remove(invoices.KIND, invoice_id)
    world.store.remove(LINES, invoice_id)
    return {"id": invoice_id, "object": "invoice", "deleted": True}


def refuse_closed(invoice: Object) -> None:
    """Raise unless the invoice is a draft."""
    if invoice["status"] != "draft":
        raise InvalidRequest(f"This invoice is {invoice['status']}; only drafts can be changed this way.", code="invoice_not_editable")
