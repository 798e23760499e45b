"""The fence, around customers and around connected accounts: whatever overlaps, fails or dies, the last truth is written last.

What is true at Stripe is a number here, which only grows.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from roomtone_billing import Billing, GracePolicy, RetryPolicy, connect_sync, sync
from roomtone_billing.client_payments import Seller
from roomtone_billing.errors import GatewayUnavailable
from roomtone_billing.fence import LEASE
from roomtone_billing.models import AccountRow, InboxRow, SellerRow
from roomtone_billing.snapshot import Snapshot


class Things:
    """Things of one kind, one to an account; its id at Stripe ends in the account's name."""

    def __init__(self, host) -> None:
        self.host, self.engine = host, host.engine
        self.truth, self.asked, self.failures, self.broken = Counter(), 0, 0, set()
        self._events = itertools.count()
        setattr(host.gateway, self.question, self._answer)

    def open(self, account: str) -> None:
        with Session(self.engine) as session, session.begin():
            self.host.billing.open_account(session, account, email="a@example.org", name="A")
            self._open(session, account)

    def hear(self, account: str) -> None:
        payload = {"id": f"evt_{next(self._events)}", "type": "something.happened", "livemode": False} | self._named(self.prefix + account)
        self.host.billing.receive(*self.host.signed(json.dumps(payload).encode()))

    def route(self) -> None:
        self.fence.route(self.engine, limit=100)

    def draw(self, account: str):
        return self.fence.draw(self.engine, account, now=self.host.clock())

    def ask(self, ticket):
        return getattr(self.host.gateway, self.question)(ticket.stripe_id)

    def events(self) -> list[str]:
        with Session(self.engine) as session:
            return sorted(session.scalars(select(InboxRow.state)))

    def row(self, account: str = "a"):
        with Session(self.engine) as session:
            return session.get_one(self.fence.row, account)

    def _answer(self, stripe_id: str):
        account = stripe_id.removeprefix(self.prefix)
        self.asked += 1
        if account in self.broken:
            raise RuntimeError("our own mistake")
        if self.failures:
            self.failures -= 1
            raise GatewayUnavailable("away")
        return self.say(stripe_id, self.truth[account])


class Customers(Things):
    fence, question, prefix = sync.CUSTOMERS, "fetch", "cus_"
    effects = 0

    def _open(self, session: Session, account: str) -> None:
        session.get_one(AccountRow, account).customer = f"cus_{account}"

    def _named(self, stripe_id: str) -> dict:
        return {"data": {"object": {"object": "customer", "id": stripe_id}}}

    def say(self, stripe_id: str, number: int) -> Snapshot:
        return Snapshot(customer=stripe_id, card=str(number))

    def stored(self, account: str = "a") -> int:
        snapshot = self.row(account).snapshot
        return int(snapshot["card"]) if snapshot else 0

    def write(self, ticket, truth) -> bool:
        rules = sync.Rules(catalogue=self.host.billing.catalogue, grace=GracePolicy(), retry=RetryPolicy())
        return sync.write(self.engine, ticket, truth, rules=rules, now=self.host.clock())


class Sellers(Things):
    fence, question, prefix = connect_sync.SELLERS, "fetch_seller", "acct_"
    effects = 1

    def _open(self, session: Session, account: str) -> None:
        session.add(SellerRow(account=account, token="t", stripe_account=f"acct_{account}"))

    def _named(self, stripe_id: str) -> dict:
        return {"account": stripe_id, "data": {"object": {"object": "account", "id": stripe_id}}}

    def say(self, stripe_id: str, number: int) -> Seller:
        return Seller(charges_enabled=True, due=(str(number),))

    def stored(self, account: str = "a") -> int:
        truth = self.row(account).truth
        return int(truth["due"][0]) if truth else 0

    def write(self, ticket, truth) -> bool:
        return connect_sync.write(self.engine, ticket, truth, {}, now=self.host.clock())


@pytest.fixture(params=[Customers, Sellers])
def things(request, host):
    things = request.param(host)
    things.open("a")
    return things


def news(things, account: str = "a") -> None:
    """The truth changes, and an event tells of it."""
    things.truth[account] += 1
    things.hear(account)


def test_a_burst_of_events_is_one_fetch(things):
    for _ in range(8):
        news(things)
    things.host.drain()

    assert (things.asked, things.stored(), things.events()) == (1, 8, ["done"] * 8)


def test_an_event_about_nobody_of_ours_marks_nobody(things):
    things.hear("stranger")
    things.route()

    assert things.events() == [things.fence.unknown]
    assert (things.row().mark, things.row().is_dirty) == (0, False)


def test_an_older_answer_that_comes_later_is_not_written(things):
    early = things.draw("a")
    old = things.ask(early)
    news(things)
    late = things.draw("a")

    assert things.write(late, things.ask(late))
    assert not things.write(early, old)
    assert things.stored() == 1


def test_a_ticket_that_is_not_the_newest_is_not_written_even_before_the_newest(things):
    early = things.draw("a")
    things.draw("a")

    assert not things.write(early, things.ask(early))


def test_what_was_fetched_of_another_thing_is_not_written(things):
    ticket = things.draw("a")
    truth = things.ask(ticket)
    with Session(things.engine) as session, session.begin():
        setattr(session.get_one(things.fence.row, "a"), things.fence.stripe_id.key, "another")

    assert not things.write(ticket, truth)


def test_an_event_that_comes_during_a_fetch_causes_another_fetch(things):
    news(things)
    things.route()
    ticket = things.draw("a")
    old = things.ask(ticket)
    news(things)
    things.route()
    things.write(ticket, old)
    between = things.events()
    things.host.drain()

    assert between == sorted(["done", things.fence.waiting])
    assert (things.stored(), things.events()) == (2, ["done", "done"])


def test_a_worker_killed_while_fetching_leaves_the_work_to_the_next(things):
    news(things)
    things.route()
    things.fence.draw_next(things.engine, now=things.host.clock())
    things.host.drain()
    while_leased = things.stored()
    things.host.clock.move(seconds=LEASE.total_seconds())
    things.host.drain()

    assert (while_leased, things.stored()) == (0, 1)


def test_a_redirect_killed_while_fetching_leaves_the_work_to_the_worker(things):
    things.truth["a"] += 1
    things.draw("a")
    things.host.clock.move(seconds=LEASE.total_seconds())
    things.host.drain()

    assert things.stored() == 1


class Died(BaseException):
    """As a kill does, it passes every `except Exception`."""


@contextmanager
def dying_at(engine, statement: int):
    seen = itertools.count(1)

    def count(*_: object) -> None:
        if next(seen) == statement:
            raise Died

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_dying_at_any_statement_loses_nothing_and_does_nothing_twice(things):
    for statement in itertools.count(1):
        account = f"a{statement:03}"
        things.open(account)
        news(things, account)
        try:
            with dying_at(things.engine, statement):
                things.host.drain()
        except Died:
            things.host.clock.move(minutes=2)
            things.host.drain()
        else:
            break

    told = Counter(one.account for one in things.host.billing.outbox(limit=500))
    assert statement > 10
    assert {things.stored(account) for account in things.truth} == {1}
    assert set(things.events()) == {"done"}
    assert told == Counter(dict.fromkeys(things.truth, things.effects))


def test_an_outage_is_survived_with_growing_pauses(things):
    news(things)
    things.failures, pauses = 3, 0
    while not things.stored():
        things.host.drain()
        things.host.clock.move(seconds=5)
        pauses += 1

    assert pauses == 8  # tries at 0, 5, 15 and 35 s
    assert (things.row().attempts, things.row().error) == (0, None)


def test_what_fails_too_often_is_put_aside_and_can_be_replayed(things, catalogue):
    host = things.host
    billing = Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, retry=RetryPolicy(attempts_max=2))
    news(things)
    things.failures = 2
    for _ in range(3):
        billing.work()
        host.clock.move(hours=1)
    dead = billing.inbox()[0]
    billing.replay(dead.event_id)
    billing.work()

    assert (dead.state, dead.attempts) == ("dead", 2)
    assert dead.error.startswith("GatewayUnavailable: ")
    assert (billing.inbox()[0].state, things.stored()) == ("done", 1)


def test_one_that_cannot_be_fetched_does_not_hold_up_another(things):
    things.open("b")
    news(things, "a")
    news(things, "b")
    things.failures = 1
    things.host.drain()

    assert sorted([things.stored("a"), things.stored("b")]) == [0, 1]


def test_one_whose_truth_breaks_our_own_code_is_put_aside_and_others_go_on(things):
    things.open("b")
    news(things, "a")
    news(things, "b")
    things.broken = {"a"}
    things.host.drain()

    assert (things.stored("a"), things.stored("b")) == (0, 1)
    assert "our own mistake" in things.row("a").error


class Overlaps(RuleBasedStateMachine):
    """The truth changes, fetches overlap, fail and die, events are lost and repeated; then the faults stop."""

    things, count = None, 0

    @initialize()
    def begin(self):
        type(self).count += 1
        self.account = f"account{self.count}"
        self.things.open(self.account)
        self.tickets, self.answers, self.written = [], [], 0

    @rule()
    def change(self):
        self.things.truth[self.account] += 1

    @rule()
    def hear(self):
        self.things.hear(self.account)

    @rule()
    def route(self):
        self.things.route()

    @rule()
    def draw(self):
        self.tickets.append(self.things.draw(self.account))

    @rule(at=st.integers(0, 5))
    def ask(self, at):
        if at < len(self.tickets):
            ticket = self.tickets.pop(at)
            self.answers.append((ticket, self.things.ask(ticket)))

    @rule(at=st.integers(0, 5))
    def fail(self, at):
        if at < len(self.tickets):
            error = GatewayUnavailable("away")
            self.things.fence.fail(self.things.engine, self.tickets.pop(at), error, retry=RetryPolicy(), now=self.things.host.clock())

    @rule(at=st.integers(0, 5))
    def write(self, at):
        if at < len(self.answers):
            self.things.write(*self.answers.pop(at))

    @rule()
    def work(self):
        self.things.host.billing.work()

    @invariant()
    def nothing_goes_back_in_time(self):
        if hasattr(self, "account"):
            stored = self.things.stored(self.account)
            assert stored >= self.written
            self.written = stored

    def teardown(self):
        if not hasattr(self, "account"):
            return
        self.things.hear(self.account)
        self.things.host.clock.move(minutes=2)
        self.things.host.drain()
        assert self.things.stored(self.account) == self.things.truth[self.account]
        assert set(self.things.events()) == {"done"}


def test_overlaps_deaths_and_losses_end_in_the_truth_once_the_faults_stop(things):
    class Here(Overlaps):
        pass

    Here.things = things
    quick = settings(max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Here, settings=quick)
