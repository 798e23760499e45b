"""Credit notes over discounted and taxed invoices: every part gives back its share, and all parts together the whole."""

from itertools import pairwise

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ALL = list(HealthCheck)


def bought(sandbox, *amounts, percent_off=None, tax=None, is_inside=False):
    """A paid invoice over some amounts."""
    customer = sandbox.customer()
    coupon = sandbox.v1.coupons.create({"percent_off": percent_off, "duration": "once"}) if percent_off else None
    rate = sandbox.v1.tax_rates.create({"display_name": "VAT", "percentage": tax, "inclusive": is_inside}) if tax else None
    asked = {"customer": customer.id, "currency": "eur"}
    asked |= {"discounts": [{"coupon": coupon.id}]} if coupon else {}
    asked |= {"default_tax_rates": [rate.id]} if rate else {}
    invoice = sandbox.v1.invoices.create(asked)
    for amount in amounts:
        sandbox.v1.invoice_items.create({"customer": customer.id, "invoice": invoice.id, "amount": amount, "currency": "eur"})
    return sandbox.v1.invoices.pay(invoice.id)


def credit(sandbox, invoice, *parts, **more):
    """Credit a gross amount of each of an invoice's first lines, given back as balance."""
    named = [
        {"type": "invoice_line_item", "invoice_line_item": line.id, "amount": part}
        for line, part in zip(invoice.lines.data, parts, strict=False)
        if part
    ]
    asked = {"invoice": invoice.id, "lines": named, **more}
    total = sandbox.v1.credit_notes.preview(asked).total
    return sandbox.v1.credit_notes.create({**asked, "credit_amount": total})


def test_a_line_gives_back_its_discount_and_its_tax(sandbox):
    invoice = bought(sandbox, 10000, 5000, percent_off=10, tax=20)
    note = credit(sandbox, invoice, 10000)

    assert invoice.total == (15000 - 1500) * 12 // 10
    assert (note.subtotal, note.discount_amount, note.total_excluding_tax, note.total) == (10000, 1000, 9000, 10800)
    assert [(each.amount, each.taxable_amount, each.tax_behavior) for each in note.total_taxes] == [(1800, 9000, "exclusive")]
    assert note.lines.data[0].tax_rates[0].percentage == 20


def test_a_tax_inside_the_amount_goes_back_inside_it(sandbox):
    note = credit(sandbox, bought(sandbox, 12000, tax=20, is_inside=True), 6000)

    assert (note.total, note.total_excluding_tax) == (6000, 5000)


def test_the_whole_amount_gives_back_every_line(sandbox):
    invoice = bought(sandbox, 999, 501, percent_off=7, tax=5.5)
    note = sandbox.v1.credit_notes.create({"invoice": invoice.id, "amount": invoice.total, "refund_amount": invoice.total})

    assert (note.total, [each.amount for each in note.lines.data]) == (invoice.total, [999, 501])
    assert sandbox.v1.charges.list().data[0].amount_refunded == invoice.total


def test_a_part_by_amount_is_not_guessed(sandbox):
    invoice = bought(sandbox, 1000, tax=20)
    with pytest.raises(stripe.APIError, match="send `lines`"):
        sandbox.v1.credit_notes.create({"invoice": invoice.id, "amount": 600, "credit_amount": 600})

    assert sandbox.v1.credit_notes.list().data == []


def test_a_line_of_its_own_bears_the_tax_it_names(sandbox):
    invoice = bought(sandbox, 10000, tax=20)
    rate = invoice.total_taxes[0].tax_rate_details.tax_rate
    line = {"type": "custom_line_item", "description": "Goodwill", "unit_amount": 1000, "quantity": 1, "tax_rates": [rate]}
    note = sandbox.v1.credit_notes.create({"invoice": invoice.id, "lines": [line], "credit_amount": 1200})

    assert (note.subtotal, note.total) == (1000, 1200)


def test_a_line_is_never_credited_beyond_its_amount(sandbox):
    invoice = bought(sandbox, 1000, 1000, percent_off=10)
    credit(sandbox, invoice, 700)
    with pytest.raises(stripe.InvalidRequestError, match="left of the line's amount"):
        credit(sandbox, invoice, 301)

    assert credit(sandbox, invoice, 300).subtotal == 300


def test_an_open_invoice_asks_for_less(sandbox):
    subscription = sandbox.subscribe(sandbox.price(10000), card="pm_card_chargeCustomerFail")
    rate = sandbox.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False})
    customer = subscription.customer
    sandbox.v1.invoice_items.create({"customer": customer, "amount": 5000, "currency": "eur", "tax_rates": [rate.id]})
    draft = sandbox.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    invoice = sandbox.v1.invoices.finalize_invoice(draft.id)
    line = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, "amount": 2500}
    note = sandbox.v1.credit_notes.create({"invoice": invoice.id, "lines": [line]})

    assert (invoice.amount_due, note.total, sandbox.v1.invoices.retrieve(invoice.id).amount_due) == (6000, 3000, 3000)


@settings(max_examples=25, deadline=None, suppress_health_check=ALL)
@given(
    amount=st.integers(100, 20000),
    cuts=st.lists(st.integers(1, 199), max_size=3),
    percent_off=st.sampled_from([None, 7, 33.3, 50]),
    tax=st.sampled_from([None, 5.5, 20]),
    is_inside=st.booleans(),
)
def test_all_parts_together_are_the_whole(sandbox, amount, cuts, percent_off, tax, is_inside):
    invoice = bought(sandbox, amount, percent_off=percent_off, tax=tax, is_inside=is_inside)
    edges = sorted({0, amount, *(100 * cut for cut in cuts if 100 * cut <= amount - 100)})
    notes = [credit(sandbox, invoice, after - before) for before, after in pairwise(edges)]

    assert sum(each.total for each in notes) == invoice.total
    assert sum(each.discount_amount for each in notes) == sum(each.amount for each in invoice.total_discount_amounts)
