"""Which events tell of invoices paid and of the money that went back for them. Pure, like `announce`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from .events import Event, InvoicePaid, InvoiceRefunded
from .snapshot import Invoice, Snapshot


def announce(told: Mapping[str, int], snapshot: Snapshot, *, account: str, now: datetime) -> tuple[dict[str, int], tuple[Event, ...]]:
    """What to tell the host of invoices, oldest first, and what it has been told then (minor units that went back, by invoice).

    An invoice of nothing, such as a trial's or one that was credited in full, is no payment. A refund that fails later is not told of.
    """
    after, events = dict(told), list[Event]()
    for one in sorted(snapshot.invoices, key=lambda one: (one.created_at, one.id)):
        if one.status != "paid" or one.payable_minor <= 0:
            continue
        if one.id not in after:
            after[one.id] = 0
            events.append(_paid(one, account, now))
        back = min(snapshot.refunded(one), one.payable_minor)
        if back > after[one.id]:
            events.append(_refunded(one, account, now, before=after[one.id], back=back))
            after[one.id] = back
    return after, tuple(events)


def _paid(one: Invoice, account: str, now: datetime) -> InvoicePaid:
    return InvoicePaid(
        account=account,
        key=f"paid:{one.id}",
        at=now,
        invoice=one.id,
        number=one.number,
        subscription=one.subscription,
        amount_minor=one.payable_minor,
        currency=one.currency,
    )


def _refunded(one: Invoice, account: str, now: datetime, *, before: int, back: int) -> InvoiceRefunded:
    return InvoiceRefunded(
        account=account,
        key=f"returned:{one.id}:{back}",
        at=now,
        invoice=one.id,
        paid_key=f"paid:{one.id}",
        number=one.number,
        subscription=one.subscription,
        amount_minor=back - before,
        refunded_minor=back,
        invoice_minor=one.payable_minor,
        currency=one.currency,
        is_full=back >= one.payable_minor,
    )
