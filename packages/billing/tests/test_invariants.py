"""Each invariant holds through a story, and is seen to be violated when the rows are broken on purpose."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from roomtone_billing import PhaseChanged
from roomtone_billing.invariants import INVARIANTS
from roomtone_billing.models import AccountRow, ClientPaymentRow, ClosingRow, InboxRow, MeteredRow, OutboxRow, SellerRow

LONG_AGO = timedelta(hours=3)


@pytest.fixture
def busy(host):
    """An account that bought, changed, did not pay and ended, everything dealt with."""
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()
    host.stripe.renew(subscription, is_paid=False)
    host.hear(customer)
    host.drain()
    return host


def ago(host):
    return host.clock() - LONG_AGO


def payment(host) -> dict:
    """An open payment of a client."""
    ids = {"stripe_account": "acct_a", "reference": "r", "account": "a", "checkout": "cs_1", "url": "http://page", "pages": 1}
    return ids | {"offer": {}, "amount_minor": 1, "currency": "EUR", "fee_minor": 0, "created_at": ago(host), "truth": {}, "told": {}}


# Each breaks the rows as no code of ours does.
FAULTS = {
    "events are looked at": lambda host: update(InboxRow).values(state="pending", received_at=ago(host)),
    "marked events have a dirty account": lambda host: update(InboxRow).values(state="marked"),
    "dirty accounts are fetched": lambda host: update(AccountRow).values(is_dirty=True, leased_until=ago(host)),
    "snapshots are of the accounts customer": lambda host: update(AccountRow).values(customer="cus_other"),
    "phases are those that were told": lambda host: update(AccountRow).values(phase="active"),
    "phase changes are told each": lambda host: delete(OutboxRow).where(OutboxRow.type == PhaseChanged.__name__),
    "sweeps are made": lambda host: update(AccountRow).values(check_at=ago(host)),
    "events are handed out": lambda host: update(OutboxRow).values(state="pending", created_at=ago(host)),
    "client payments are asked about": lambda host: insert(ClientPaymentRow).values(**payment(host), check_at=ago(host)),
    "uses are reported": lambda host: insert(MeteredRow).values(
        account="a", meter="m", key="k", units=1, used_at=ago(host), created_at=ago(host)
    ),
    "closings are made": lambda host: insert(ClosingRow).values(account="a", deletes_customer=False, asked_at=ago(host)),
    "nothing is dead": lambda host: update(OutboxRow).values(state="dead", error="ValueError: no"),
}


def test_a_story_violates_nothing(busy):
    assert busy.billing.upkeep.violations() == []


def test_there_is_a_fault_for_each_invariant():
    assert list(FAULTS) == [one.__name__.replace("_", " ") for one in INVARIANTS]


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_broken_is_seen(busy, name):
    with busy.engine.begin() as connection:
        if name == "phase changes are told each":
            connection.exec_driver_sql("DELETE FROM billing_handled")
        connection.execute(FAULTS[name](busy))
    found = {one.invariant for one in busy.billing.upkeep.violations()}

    assert name in found


@pytest.mark.parametrize(
    ("name", "seller", "event"),
    [
        ("marked events have a dirty account", {"is_dirty": False, "mark": 1}, {"mark": 1}),
        ("dirty accounts are fetched", {"is_dirty": True, "mark": 1}, {"mark": 1}),
    ],
)
def test_what_is_broken_of_a_connected_account_is_seen(busy, name, seller, event):
    with busy.engine.begin() as connection:
        connection.execute(insert(SellerRow).values(account="a", token="t", stripe_account="acct_a", retry_at=ago(busy), **seller))
        connection.execute(update(InboxRow).values(state="connected", stripe_account="acct_a", received_at=busy.clock(), **event))
    found = {one.invariant for one in busy.billing.upkeep.violations()}

    assert name in found


def test_no_more_is_listed_than_asked_for(busy):
    with busy.engine.begin() as connection:
        connection.execute(FAULTS["nothing is dead"](busy))

    assert len(busy.billing.upkeep.violations(limit=1)) == 1
