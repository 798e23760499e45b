"""Differences: every field, in any order of the lists, and nothing that does not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from roomtone_billing.drift import differences
from roomtone_billing.snapshot import Invoice, PriceRef, Snapshot, Status, Subscription

AT = datetime(2026, 1, 1, tzinfo=UTC)
SUBSCRIPTION = Subscription(
    id="sub_1", status=Status.active, created_at=AT, price=PriceRef(id="price_1", plan="pro"), period_start=AT, period_end=AT
)
INVOICE = Invoice(id="in_1", subscription="sub_1", status="paid", reason=None, number="1", amount_minor=5900, currency="EUR", created_at=AT)
TRUTH = Snapshot(customer="cus_1", subscriptions=(SUBSCRIPTION, replace(SUBSCRIPTION, id="sub_2")), invoices=(INVOICE,))


def test_equal_snapshots_do_not_differ_whatever_the_order_of_their_lists():
    assert differences(TRUTH, TRUTH) == ()
    assert differences(TRUTH, replace(TRUTH, subscriptions=TRUTH.subscriptions[::-1])) == ()


def test_each_field_that_differs_is_named_with_both_values():
    changed = replace(TRUTH, subscriptions=(replace(SUBSCRIPTION, status=Status.past_due), TRUTH.subscriptions[1]), card="visa •••• 4242")

    assert [str(one) for one in differences(TRUTH, changed)] == [
        "card: None here, visa •••• 4242 at Stripe",
        "subscriptions.sub_1.status: active here, past_due at Stripe",
    ]


def test_what_was_never_known_differs_in_everything():
    assert {one.ours for one in differences(None, TRUTH)} == {None}


def test_the_address_of_a_page_is_no_difference():
    assert differences(TRUTH, replace(TRUTH, invoices=(replace(INVOICE, hosted_url="https://new"),))) == ()
