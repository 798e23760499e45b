"""Reconciliation finds what differs, says it field by field, repairs it, and leaves alone what is right."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.orm import Session

from roomtone_billing import Phase, SubscriptionEnded, SubscriptionStarted
from roomtone_billing.errors import GatewayUnavailable
from roomtone_billing.models import AccountRow, CursorRow


def run(host, **settings):
    return host.billing.upkeep.reconcile(calls_per_s=10**6, **settings)


def subscribers(host, count: int) -> dict[str, str]:
    """Accounts with a plan, all of them in order; subscription ids by account."""
    found = {}
    for number in range(count):
        account = f"r{number:03}"
        customer = host.customer(account)
        found[account] = host.stripe.subscribe(customer, plan="pro")
        host.billing.account(account).sync()
    host.drain()
    return found


@contextmanager
def writes(engine):
    """The statements that change something, and what they were given."""
    found: list[str] = []

    def note(connection, cursor, statement, *rest) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "WITH", "BEGIN", "PRAGMA")):
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_what_differs_is_said_field_by_field_and_repaired(host):
    subscription = subscribers(host, 3)["r001"]
    known_at = host.clock()
    host.clock.move(days=2)
    host.stripe.cancel(subscription)
    done = run(host)
    host.drain()

    (drift,) = done.drifts
    differences = {one.path: (one.ours, one.theirs) for one in drift.differences}
    assert (drift.account, drift.since, drift.found_at) == ("r001", known_at, host.clock())
    assert differences[f"subscriptions.{subscription}.status"] == ("active", "canceled")
    assert differences[f"subscriptions.{subscription}.ended_at"][0] is None
    assert host.billing.account("r001").access().phase is Phase.read_only
    assert host.keys(SubscriptionEnded) == [f"ended:{subscription}"]
    assert host.billing.upkeep.drifts() == [drift]


def test_a_second_run_writes_nothing(host):
    subscription = subscribers(host, 3)["r001"]
    host.stripe.cancel(subscription)
    run(host)
    host.drain()
    with writes(host.engine) as statements:
        done = run(host)

    assert (done.drifts, done.failed, done.calls) == ((), (), 1)
    assert statements == []


def test_accounts_that_were_never_fetched_or_never_written_down_are_found(host):
    host.start_trial("lost")
    host.billing.publish()
    with Session(host.engine) as session:
        token = session.scalar(select(AccountRow.token).where(AccountRow.account == "lost"))
    made = host.gateway.create_customer(account="lost", token=token, email="a@example.org", name="A", key="k")
    host.stripe.subscribe(made, plan="pro")
    theirs = host.gateway.create_customer(account="lost", token="guess", email="a@example.org", name="A", key="other")
    host.stripe.subscribe(theirs, plan="pro")
    done = run(host)

    assert ([one.account for one in done.drifts], done.foreign) == (["lost"], 1)
    assert done.drifts[0].since is None
    assert host.billing.account("lost").access().phase is Phase.active


def test_a_subscription_that_stripe_no_longer_lists_is_found(host, monkeypatch):
    subscriptions = subscribers(host, 2)
    with Session(host.engine) as session:
        customer = session.scalar(select(AccountRow.customer).where(AccountRow.account == "r000"))
    store = host.stripe.offline.world.store
    with store.transaction():
        store.remove("subscription", subscriptions["r000"])
        store.replace("customer", {"id": customer, "object": "customer", "deleted": True})
    done = run(host)

    assert [one.account for one in done.drifts] == ["r000"]
    assert host.billing.account("r000").access().phase is Phase.read_only


def test_a_run_goes_page_by_page_and_goes_on_where_it_was_killed(host, monkeypatch):
    subscriptions = subscribers(host, 3)
    stranger = host.stripe.stranger()
    host.clock.move(seconds=10)
    for _ in range(220):
        host.stripe.subscribe(stranger, plan="starter")
    host.stripe.cancel(subscriptions["r001"])
    first = run(host, pages_max=1)
    honest, asked = host.gateway.subscriptions, []

    def dying(*, after=None):
        asked.append(after)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return honest(after=after)

    monkeypatch.setattr(host.gateway, "subscriptions", dying)
    with pytest.raises(KeyboardInterrupt):
        run(host)
    monkeypatch.setattr(host.gateway, "subscriptions", honest)
    last = run(host)

    assert (first.is_complete, first.listed, last.is_complete, last.listed) == (False, 100, True, 23)
    assert [one.account for one in last.drifts] == ["r001"]
    with Session(host.engine) as session:
        assert session.get(CursorRow, "reconcile") is None


def test_a_place_that_stripe_no_longer_lists_begins_again(host):
    subscribers(host, 1)
    with Session(host.engine) as session, session.begin():
        place = {"after": "sub_gone", "created_at": host.clock().isoformat()}
        session.add(CursorRow(name="reconcile", place=place, moved_at=host.clock()))

    assert run(host).is_complete


def test_a_webhook_in_the_middle_of_a_repair_is_not_undone(host, monkeypatch):
    subscription = subscribers(host, 1)["r000"]
    with Session(host.engine) as session:
        customer = session.scalar(select(AccountRow.customer))
    host.stripe.change_plan(subscription, plan="starter")
    honest = host.gateway.fetch

    def overtaken(wanted):
        truth = honest(wanted)
        monkeypatch.setattr(host.gateway, "fetch", honest)
        host.stripe.cancel(subscription)
        host.billing.account("r000").sync()
        return truth

    monkeypatch.setattr(host.gateway, "fetch", overtaken)
    done = run(host)
    host.hear(customer)
    host.drain()

    assert done.drifts == ()
    assert host.billing.account("r000").access().phase is Phase.read_only
    assert run(host).drifts == ()


def test_an_account_that_cannot_be_fetched_is_named_and_left_to_the_worker(host):
    subscriptions = subscribers(host, 2)
    for one in subscriptions.values():
        host.stripe.cancel(one)
    host.stripe.break_down()
    done = run(host)
    host.clock.move(minutes=1)
    host.drain()

    assert (done.failed, [one.account for one in done.drifts]) == (("r000",), ["r001"])
    assert {host.billing.account(account).access().phase for account in subscriptions} == {Phase.read_only}


def test_the_list_that_cannot_be_had_is_an_error_and_nothing_is_lost(host):
    subscribers(host, 1)
    host.stripe.break_down(operation="get /v1/subscriptions")
    with pytest.raises(GatewayUnavailable):
        run(host)

    assert run(host).is_complete


def test_a_state_nobody_could_have_written_is_repaired(host):
    subscribers(host, 1)
    with host.engine.begin() as connection:
        connection.execute(update(AccountRow).values(snapshot={"customer": "cus_other", "subscriptions": [], "invoices": []}))
    done = run(host)

    assert len(done.drifts) == 1
    assert host.billing.account("r000").access().phase is Phase.active
    assert len(host.keys(SubscriptionStarted)) == 1


def test_thousands_of_subscriptions_cost_a_call_for_each_hundred(host):
    customer = host.customer()
    first = host.stripe.subscribe(customer, plan="pro")
    host.billing.account("a").sync()
    world = host.stripe.offline.world
    template, customers = world.store.get("subscription", first), world.store.get("customer", customer)
    invoice = world.store.get("invoice", template["latest_invoice"])
    with world.store.transaction():
        for number in range(1000):
            world.store.add("customer", {**customers, "id": f"cus_n{number}", "metadata": {}})
            world.store.add("invoice", {**invoice, "id": f"in_n{number}", "customer": f"cus_n{number}"})
            copy = {**template, "id": f"sub_n{number}", "customer": f"cus_n{number}", "latest_invoice": f"in_n{number}"}
            world.store.add("subscription", copy)
    done = run(host)

    assert (done.listed, done.foreign, done.calls, done.drifts) == (1001, 1000, 11, ())
    with host.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM billing_drift")).scalar() == 0
