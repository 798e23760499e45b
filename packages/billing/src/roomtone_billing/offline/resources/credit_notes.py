"""Credit notes: what is taken back of an invoice, before it was paid or after."""

from __future__ import annotations

from collections.abc import Sequence

from .. import totals
from ..objects import Object, listing, merged_metadata
from ..shapes import blank
from ..world import World
from . import events, invoice_sums, tax_rates

KIND = "credit_note"
LINE = "credit_note_line_item"


def build(world: World, invoice: Object, lines: list[Object], params: Object, *, note_id: str, number: str) -> Object:
    """Return a credit note over some lines, without keeping it."""
    sums = invoice_sums.sums(lines)
    total, off = sums["total"], sums["total_discount_amounts"]
    is_paid = invoice["status"] == "paid"
    return {
        **blank(KIND),
        "id": note_id,
        "amount": total,
        "amount_shipping": 0,
        "created": world.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "discount_amount": sum(each["amount"] for each in off),
        "discount_amounts": off,
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
        "pretax_credit_amounts": sums["total_pretax_credit_amounts"],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": sums["subtotal"],
        "subtotal_excluding_tax": sums["subtotal_excluding_tax"],
        "total": total,
        "total_excluding_tax": sums["total_excluding_tax"],
        "total_taxes": sums["total_taxes"],
        "type": "post_payment" if is_paid else "pre_payment",
    }


def build_line(
    world: World,
    amount: int,
    *,
    description: str | None,
    invoice_line: Object | None,
    quantity: int | None = None,
    rates: Sequence[Object] = (),
) -> Object:
    """Return a line of a credit note, over a line of the invoice or on its own.

    Args:
        amount: gross, minor units: before discounts and taxes on top; a line of the invoice gives these back in proportion.
        rates: taxes of a line on its own.
    """
    own: Object = {"invoice_line_item": invoice_line["id"]} if invoice_line else {}
    off, taxes = _shares(world, invoice_line, amount) if invoice_line else ([], _taxes(amount, rates))
    return {
        **blank(LINE),
        "id": world.new_id("cnli"),
        "amount": amount,
        "description": description if description is not None else (invoice_line or {}).get("description"),
        "discount_amount": sum(each["amount"] for each in off),
        "discount_amounts": off,
        "livemode": False,
        "pretax_credit_amounts": [{**each, "type": "discount"} for each in off],
        "quantity": quantity,
        "tax_rates": [world.store.get(tax_rates.KIND, each["tax_rate_details"]["tax_rate"]) for each in taxes],
        "taxes": taxes,
        "type": "invoice_line_item" if invoice_line else "custom_line_item",
        **own,
    }


def credited_of(world: World, line_id: str) -> int:
    """Return how much of an invoice's line was credited so far, gross."""
    issued = world.store.where(KIND, status="issued")
    return sum(line["amount"] for note in issued for line in note["lines"]["data"] if line.get("invoice_line_item") == line_id)


def _shares(world: World, line: Object, amount: int) -> tuple[list[Object], list[Object]]:
    """Return the discounts and taxes that go back with a part of a line. All parts together give back exactly what the line had."""
    before = credited_of(world, line["id"])

    def share(whole: int) -> int:
        return whole * (before + amount) // line["amount"] - whole * before // line["amount"] if line["amount"] else 0

    off = [{**each, "amount": share(each["amount"])} for each in line["discount_amounts"]]
    taxes = [{**each, "amount": share(each["amount"]), "taxable_amount": share(each["taxable_amount"])} for each in line["taxes"]]
    return [each for each in off if each["amount"]], taxes


def _taxes(amount: int, rates: Sequence[Object]) -> list[Object]:
    worked = totals.taxes(amount, [tax_rates.to_rate(each) for each in rates])
    return [tax_rates.shown(rate, tax, amount) for rate, tax in zip(rates, worked, strict=True)]


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
