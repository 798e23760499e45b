"""Credit notes: what is taken back of an invoice, before it was paid or after."""

from __future__ import annotations

from ..objects import Object, listing, merged_metadata
from ..shapes import blank
from ..world import World
from . import events

KIND = "credit_note"
LINE = "credit_note_line_item"


def build(world: World, invoice: Object, lines: list[Object], params: Object, *, note_id: str, number: str) -> Object:
    """Return a credit note over some lines, without keeping it."""
    total = sum(each["amount"] for each in lines)
    is_paid = invoice["status"] == "paid"
    return {
        **blank(KIND),
        "id": note_id,
        "amount": total,
        "amount_shipping": 0,
        "created": world.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": world.now,
        "invoice": invoice["id"],
        "lines": listing(lines, url=f"/v1/credit_notes/{note_id}/lines"),
        "livemode": False,
        "memo": params.get("memo"),
        "metadata": merged_metadata({}, params.get("metadata")),
        "number": number,
        "out_of_band_amount": params.get("out_of_band_amount"),
        "pdf": world.url(f"/invoice/{invoice['id']}/pdf"),
        "post_payment_amount": total if is_paid else 0,
        "pre_payment_amount": 0 if is_paid else total,
        "pretax_credit_amounts": [],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_excluding_tax": total,
        "total_taxes": [],
        "type": "post_payment" if is_paid else "pre_payment",
    }


def build_line(world: World, amount: int, *, description: str | None, invoice_line: Object | None, quantity: int | None = None) -> Object:
    """Return a line of a credit note, over a line of the invoice or on its own."""
    own: Object = {"invoice_line_item": invoice_line["id"]} if invoice_line else {}
    return {
        **blank(LINE),
        "id": world.new_id("cnli"),
        "amount": amount,
        "description": description if description is not None else (invoice_line or {}).get("description"),
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": "invoice_line_item" if invoice_line else "custom_line_item",
        **own,
    }


def of(world: World, invoice_id: str) -> list[Object]:
    """Return an invoice's credit notes that are not void."""
    return list(world.store.where(KIND, invoice=invoice_id, status="issued"))


def change_memo(world: World, note_id: str, params: Object) -> Object:
    """Change memo and metadata."""
    before = world.store.get(KIND, note_id)
    changes: Object = {"memo": params["memo"]} if "memo" in params else {}
    after = world.store.change(KIND, note_id, **changes, metadata=merged_metadata(before["metadata"], params.get("metadata")))
    events.emit(world, "credit_note.updated", after, before=before)
    return after
