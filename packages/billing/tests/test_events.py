"""Events survive being stored, whatever their type."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from roomtone_billing import (
    AccountClosed,
    Interval,
    InvoicePaid,
    InvoiceRefunded,
    PackBought,
    PackRefunded,
    PeriodRenewed,
    Phase,
    PhaseChanged,
    PlanChanged,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialStarted,
    events,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
WHO = {"account": "a", "key": "k", "at": T0}
SOLD = {"purchase": "cs_1", "pack_key": "p", "grants": {"ai_credits": 100}, "amount_minor": 200, "currency": "EUR"}
PAID = {"invoice": "in_1", "number": "A-1", "subscription": "sub_1", "amount_minor": 5900, "currency": "EUR"}
PERIOD = {"plan_key": "pro", "interval": Interval.month, "period_start": T0, "period_end": T0}


@pytest.mark.parametrize(
    "event",
    [
        TrialStarted(**WHO, plan_key="pro", interval=Interval.year, until=T0),
        SubscriptionStarted(**WHO, **PERIOD),
        PeriodRenewed(**WHO, **PERIOD),
        PlanChanged(**WHO, before="starter", after="pro", interval=Interval.month, period_start=T0, period_end=T0),
        PhaseChanged(**WHO, before=Phase.active, after=Phase.grace),
        SubscriptionEnded(**WHO, plan_key="pro"),
        PackBought(**WHO, **SOLD),
        AccountClosed(**WHO),
        InvoicePaid(**WHO, **PAID),
        InvoiceRefunded(**WHO, **PAID, paid_key="paid:in_1", refunded_minor=5900, invoice_minor=5900, is_full=True),
        PackRefunded(**WHO, **SOLD, bought_key="bought:cs_1", is_full=True),
    ],
)
def test_an_event_survives_being_stored(event):
    assert events.from_json(type(event).__name__, events.to_json(event)) == event
