"""The outbox: each handler has each event exactly once, in its account's order, whatever fails."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from roomtone_billing import Billing, PhaseChanged, RetryPolicy, TrialStarted
from roomtone_billing.errors import UnknownEvent


@pytest.fixture
def effects(engine):
    """A table of the host's own, in the control database."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE effect (name TEXT)"))
    yield lambda: _names(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE effect"))


def _names(engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.scalars(text("SELECT name FROM effect")))


def take_effect(session: Session, name: str) -> None:
    session.execute(text("INSERT INTO effect VALUES (:name)"), {"name": name})


@pytest.fixture
def billing(engine, catalogue, host) -> Billing:
    return Billing(engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, retry=RetryPolicy(attempts_max=3))


def start(host, billing: Billing, *accounts: str) -> None:
    with Session(host.engine) as session, session.begin():
        for account in accounts:
            billing.start_trial(session, account, plan="starter", interval="month", email="a@example.org", name="A")


def test_what_a_failing_handler_wrote_is_undone_and_what_it_writes_in_the_end_is_there_once(host, billing, effects):
    tries = []

    @billing.on(TrialStarted)
    def grant(session, event):
        take_effect(session, "grant")
        tries.append(event.key)
        if len(tries) < 3:
            raise RuntimeError("not yet")

    start(host, billing, "a")
    for _ in range(5):
        billing.work()
        host.clock.move(hours=1)

    assert (tries, effects()) == (["trial:a"] * 3, ["grant"])


def test_one_failing_handler_does_not_make_another_have_the_event_twice(host, billing, effects):
    billing.on(TrialStarted, name="good")(lambda session, event: take_effect(session, "good"))
    billing.on(TrialStarted, name="bad")(lambda session, event: 1 / 0)
    start(host, billing, "a")
    for _ in range(5):
        billing.work()
        host.clock.move(hours=1)

    assert effects() == ["good"]
    assert billing.outbox()[0].error.startswith("bad: ZeroDivisionError")


def test_an_event_no_handler_can_take_is_put_aside_and_handed_out_again_on_request(host, billing, effects):
    is_broken = True

    @billing.on(TrialStarted)
    def grant(session, event):
        assert not is_broken
        take_effect(session, "grant")

    start(host, billing, "a")
    for _ in range(4):
        billing.work()
        host.clock.move(hours=1)
    dead = billing.outbox()[0]
    is_broken = False
    billing.retry(dead.key)
    billing.work()

    assert (dead.state, dead.attempts) == ("dead", 3)
    assert (billing.outbox()[0].state, effects()) == ("done", ["grant"])
    with pytest.raises(UnknownEvent):
        billing.retry(dead.key)


def test_a_later_event_of_an_account_waits_for_the_earlier_and_other_accounts_do_not(host, billing):
    order = []

    @billing.on(TrialStarted)
    def note_trial(session, event):
        if event.account == "a" and "failed" not in order:
            order.append("failed")
            raise RuntimeError
        order.append(event.key)

    billing.on(PhaseChanged)(lambda session, event: order.append(f"{event.account} {event.after}"))
    start(host, billing, "a", "b")
    host.clock.move(days=14)
    billing.sweep()
    billing.work()
    host.clock.move(seconds=5)
    billing.work()

    assert order == ["failed", "trial:b", "b read_only", "trial:a", "a read_only"]


def test_four_workers_at_once_hand_each_event_out_once(host, billing, effects):
    billing.on(TrialStarted)(lambda session, event: take_effect(session, event.key))
    accounts = [f"a{number:02}" for number in range(20)]
    start(host, billing, *accounts)
    together = threading.Barrier(4)

    def work(_: int) -> None:
        together.wait()
        while billing.work():
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert effects() == [f"trial:{account}" for account in accounts]


def test_a_process_without_handlers_leaves_the_events_to_one_that_has_some(host, billing):
    start(host, billing, "a")
    billing.work()

    assert billing.outbox()[0].state == "pending"


def test_an_event_nobody_listens_to_is_done(host, billing):
    billing.on(PhaseChanged)(lambda session, event: None)
    start(host, billing, "a")
    billing.work()

    assert billing.outbox()[0].state == "done"
