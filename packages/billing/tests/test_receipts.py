"""Invoices paid and money that went back are told of once, in whatever steps the truth was seen."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing.events import InvoicePaid, InvoiceRefunded
from roomtone_billing.receipts import announce
from roomtone_billing.snapshot import Invoice, Payment, Snapshot

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def truth(*refunded: int, status: str = "paid", total: int = 1900) -> Snapshot:
    """An invoice paid by as many payments of 1000 as there are figures of what went back of them."""
    payments = tuple(Payment(id=f"pi_{at}", amount_minor=1000, currency="EUR", refunded_minor=one) for at, one in enumerate(refunded))
    invoice = Invoice(
        id="in_1",
        subscription="sub_1",
        status=status,
        reason="subscription_cycle",
        number="A-1",
        amount_minor=total,
        currency="EUR",
        created_at=T0,
        payments=tuple(one.id for one in payments),
    )
    return Snapshot(customer="c", invoices=(invoice,), payments=payments)


def run(*seen: Snapshot) -> list[InvoicePaid | InvoiceRefunded]:
    told, events = {}, []
    for one in seen:
        told, more = announce(told, one, account="a", now=T0)
        events += more
    return events


def test_an_invoice_is_told_of_once_when_it_is_paid():
    events = run(truth(status="draft"), truth(status="open"), truth(0), truth(0))

    assert [(type(one), one.key, one.number, one.amount_minor) for one in events] == [(InvoicePaid, "paid:in_1", "A-1", 1900)]


def test_an_invoice_of_nothing_is_no_payment():
    assert run(truth(total=0)) == []


def test_what_went_back_of_several_payments_is_added_up():
    events = run(truth(0, 0), truth(500, 0), truth(500, 400), truth(1000, 900))

    assert [(one.amount_minor, one.refunded_minor, one.is_full) for one in events[1:]] == [
        (500, 500, False),
        (400, 900, False),
        (1000, 1900, True),
    ]
    assert {one.paid_key for one in events[1:]} == {events[0].key}


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_what_is_told_back_is_never_more_than_was_seen_back(steps):
    events = run(truth(0), *(truth(one) for one in steps))

    assert sum(one.amount_minor for one in events if isinstance(one, InvoiceRefunded)) == max(steps, default=0)
