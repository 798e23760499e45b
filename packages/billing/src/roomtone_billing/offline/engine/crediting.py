"""Issuing credit notes: before payment the invoice asks for less; after payment the money goes back, by refund or as balance."""

from __future__ import annotations

from ..errors import InvalidRequest, NotSupported
from ..objects import Object
from ..resources import balance_transactions, credit_notes, events, invoice_payments, invoices, payment_intents, refunds, tax_rates
from ..world import World
from . import collection


def preview(world: World, params: Object) -> Object:
    """Return the credit note that the parameters ask for, without issuing it."""
    invoice = world.store.get(invoices.KIND, params["invoice"], param="invoice")
    lines = _lines(world, invoice, params)
    note = credit_notes.build(world, invoice, lines, params, note_id=world.new_id("cn"), number=_number(world, invoice))
    _refuse_too_much(world, invoice, note["total"])
    return note


def issue(world: World, params: Object) -> Object:
    """Issue a credit note and do what it says.

    Raises:
        InvalidRequest: the invoice is neither open nor paid, the amount is more than is left of it, or (when it is paid) refund, balance
            credit and out-of-band amount do not add up to it.
        NotSupported: a part by `amount` of an invoice with discounts or taxes: only lines say which share of these goes back.
    """
    note = preview(world, params)
    invoice = world.store.get(invoices.KIND, note["invoice"])
    after = _after_payment if invoice["status"] == "paid" else _before_payment
    issued = world.store.add(credit_notes.KIND, {**note, **after(world, invoice, note, params)})
    events.emit(world, "credit_note.created", issued)
    return issued


def void(world: World, note_id: str) -> Object:
    """Take back a credit note of an open invoice: it asks for the whole again."""
    note = world.store.get(credit_notes.KIND, note_id)
    if note["status"] == "void" or note["type"] != "pre_payment":
        raise InvalidRequest("Only issued credit notes of an open invoice can be voided.", code="invoice_not_editable")
    invoice = world.store.get(invoices.KIND, note["invoice"])
    if invoice["status"] != "open":
        raise InvalidRequest("The invoice of this credit note is no longer open.")
    _ask_for(world, invoice, -note["total"])
    voided = world.store.change(credit_notes.KIND, note_id, status="void", voided_at=world.now)
    events.emit(world, "credit_note.voided", voided)
    return voided


def _before_payment(world: World, invoice: Object, note: Object, _params: Object) -> Object:
    _ask_for(world, invoice, note["total"])
    if world.store.get(invoices.KIND, invoice["id"])["amount_due"] == 0:
        collection.settle(world, invoice["id"])
    return {}


def _ask_for(world: World, invoice: Object, less: int) -> None:
    due = invoice["amount_due"] - less
    credited = invoice["pre_payment_credit_notes_amount"] + less
    invoices.change(world, invoice["id"], amount_due=due, amount_remaining=due, pre_payment_credit_notes_amount=credited)
    _ask_intent_for(world, invoice["id"], due)


def _after_payment(world: World, invoice: Object, note: Object, params: Object) -> Object:
    given = {name: params.get(name, 0) for name in ("refund_amount", "credit_amount", "out_of_band_amount")}
    if sum(given.values()) != note["total"]:
        raise InvalidRequest(
            "The sum of refund_amount, credit_amount and out_of_band_amount must equal the credit note's amount "
            f"({note['total']}) because the invoice is paid.",
            param="refund_amount",
        )
    facts: Object = {}
    if given["refund_amount"]:
        intent = world.store.get(payment_intents.KIND, invoices.intent_id(world, invoice["id"]) or "")
        refund = refunds.create(world, intent["latest_charge"], amount=given["refund_amount"])
        facts["refunds"] = [{"amount_refunded": refund["amount"], "payment_record_refund": None, "refund": refund["id"], "type": "refund"}]
    if given["credit_amount"]:
        credit = {"kind": "credit_note", "currency": invoice["currency"], "credit_note": note["id"]}
        entry = balance_transactions.move(world, invoice["customer"], -given["credit_amount"], **credit)
        facts["customer_balance_transaction"] = entry["id"]
    credited = invoice["post_payment_credit_notes_amount"] + note["total"]
    invoices.change(world, invoice["id"], post_payment_credit_notes_amount=credited)
    return facts


def _lines(world: World, invoice: Object, params: Object) -> list[Object]:
    if ("amount" in params) == ("lines" in params):
        raise InvalidRequest("Give either `amount` or `lines`.", param="amount")
    if "amount" in params and (invoice["total_taxes"] or invoice["total_discount_amounts"]):
        return _all_lines(world, invoice, params["amount"])
    if "amount" in params:
        return [credit_notes.build_line(world, params["amount"], description=params.get("memo"), invoice_line=None)]
    return [_line(world, invoice, each, place) for place, each in enumerate(params["lines"])]


def _all_lines(world: World, invoice: Object, amount: int) -> list[Object]:
    if amount != invoice["total"] or credit_notes.of(world, invoice["id"]):
        raise NotSupported("a part by `amount` of an invoice with discounts or taxes; send `lines`", param="amount")
    lines = [each for each in invoice["lines"]["data"] if each["amount"]]
    return [credit_notes.build_line(world, each["amount"], description=None, invoice_line=each) for each in lines]


def _line(world: World, invoice: Object, given: Object, place: int) -> Object:
    quantity = given.get("quantity")
    if given["type"] == "custom_line_item":
        amount = given.get("unit_amount", 0) * (quantity or 1)
        rates = tax_rates.named(world, given.get("tax_rates", ""), param=f"lines[{place}][tax_rates]")
        return credit_notes.build_line(
            world, amount, description=given.get("description"), invoice_line=None, quantity=quantity, rates=rates
        )
    line = next((each for each in invoice["lines"]["data"] if each["id"] == given.get("invoice_line_item")), None)
    if line is None:
        raise InvalidRequest("No such line on the invoice.", code="resource_missing", param=f"lines[{place}][invoice_line_item]")
    if quantity is not None and (line["amount"] * quantity) % line["quantity"]:
        raise NotSupported("crediting a quantity whose share is no whole amount; give the amount", param=f"lines[{place}][quantity]")
    amount = given["amount"] if "amount" in given else line["amount"] * (quantity or line["quantity"]) // line["quantity"]
    if amount + credit_notes.credited_of(world, line["id"]) > line["amount"]:
        raise InvalidRequest("The credit is more than what is left of the line's amount.", param=f"lines[{place}][amount]")
    return credit_notes.build_line(world, amount, description=given.get("description"), invoice_line=line, quantity=quantity)


def _refuse_too_much(world: World, invoice: Object, total: int) -> None:
    if invoice["status"] not in ("open", "paid"):
        raise InvalidRequest(f"Credit notes are for open or paid invoices; this one is {invoice['status']}.", param="invoice")
    credited = sum(each["total"] for each in credit_notes.of(world, invoice["id"]) if each["type"] == "post_payment")
    left = invoice["total"] - invoice["pre_payment_credit_notes_amount"] - credited
    if invoice["status"] == "open":
        left = invoice["amount_remaining"]
    if not 0 < total <= left:
        raise InvalidRequest(f"The credit note's amount must be positive and at most {left}.", param="amount")


def _number(world: World, invoice: Object) -> str:
    count = sum(1 for _ in world.store.where(credit_notes.KIND, invoice=invoice["id"]))
    return f"{invoice['number']}-CN-{count + 1:02}"


def _ask_intent_for(world: World, invoice_id: str, due: int) -> None:
    """Let an open invoice's payment ask for another amount; for nothing, it is canceled."""
    payment = invoice_payments.of(world, invoice_id)
    if payment is None:
        return
    intent_id = payment["payment"]["payment_intent"]
    if due:
        payment_intents.change(world, intent_id, amount=due)
        world.store.change(invoice_payments.KIND, payment["id"], amount_requested=due)
    else:
        invoice_payments.cancel(world, payment)
        payment_intents.cancel(world, intent_id)
