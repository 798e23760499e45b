from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roomtone_tenancy import PoolLimits, errors
from roomtone_tenancy.budget import ConnectionBudget


class Connection:
    def __init__(self):
        self.is_open = True

    def close(self):
        self.is_open = False


def budget(**limits):
    return ConnectionBudget("main", PoolLimits(**{"per_tenant": 2, "per_server": 3, "wait_s": 0, **limits}))


def lend(of, holder):
    return of.acquire(holder) or Connection()


def test_a_connection_given_back_is_lent_to_its_own_tenant_again():
    of = budget()
    connection = lend(of, "a")
    of.release("a", connection)

    assert of.acquire("a") is connection


def test_a_connection_is_never_lent_to_another_tenant():
    of = budget()
    connection = lend(of, "a")
    of.release("a", connection)

    assert of.acquire("b") is None


def test_a_full_server_closes_the_connection_that_was_idle_for_longest():
    of = budget()
    idle = {holder: lend(of, holder) for holder in "abc"}
    for holder in "bac":
        of.release(holder, idle[holder])

    of.acquire("d")

    assert [holder for holder in "abc" if not idle[holder].is_open] == ["b"]
    assert of.open_count == 3


def test_what_is_lent_is_never_closed_and_the_error_says_who_holds_what():
    of = budget()
    lent = [lend(of, "a"), lend(of, "a"), lend(of, "b")]

    with pytest.raises(errors.BudgetExhausted) as caught:
        of.acquire("c")

    assert all(connection.is_open for connection in lent)
    assert (caught.value.tenant, caught.value.server, caught.value.holders) == ("c", "main", {"a": 2, "b": 1})


def test_one_tenant_cannot_take_more_than_its_share_while_others_go_on():
    of = budget()
    lend(of, "a")
    lend(of, "a")

    with pytest.raises(errors.BudgetExhausted):
        of.acquire("a")
    assert of.acquire("b") is None


def test_a_burst_of_one_tenant_is_served_within_its_share():
    of = budget(wait_s=10)
    most, now, lock = [], set(), threading.Lock()

    def work(number):
        connection = lend(of, "a")
        with lock:
            now.add(number)
            most.append(len(now))
        with lock:
            now.discard(number)
        of.release("a", connection)

    with ThreadPoolExecutor(25) as threads:
        list(threads.map(work, range(50)))

    assert len(most) == 50
    assert max(most) <= 2


def test_waiters_are_served_in_order_of_arrival():
    of = budget(per_server=1, per_tenant=1, wait_s=10)
    first, order, threads = lend(of, "a"), [], []

    def wait(holder):
        connection = lend(of, holder)
        order.append(holder)
        of.release(holder, connection)

    for count, holder in enumerate("bcde", start=1):
        threads.append(threading.Thread(target=wait, args=[holder]))
        threads[-1].start()
        while len(of._waiters) < count:
            pass
    of.release("a", first)
    for thread in threads:
        thread.join()

    assert order == list("bcde")


def test_a_connection_that_could_not_be_opened_leaves_its_room():
    of = budget(per_server=1)
    of.acquire("a")
    of.forfeit("a")

    assert of.acquire("b") is None


def test_draining_closes_what_is_idle_and_leaves_what_is_lent():
    of = budget()
    lent, idle = lend(of, "a"), lend(of, "a")
    of.release("a", idle)

    of.drain("a")

    assert (lent.is_open, idle.is_open, of.open_count) == (True, False, 1)


def test_a_forked_child_starts_with_none_of_its_parents_connections():
    of = budget(per_server=1)
    connection = lend(of, "a")
    of.release("a", connection)
    of._pid = os.getpid() - 1  # as a child sees it

    assert of.acquire("a") is None
    assert connection.is_open


class BudgetMachine(RuleBasedStateMachine):
    """Tenants take, return, break and drain in any order; the bounds hold and nobody gets another's connection."""

    def __init__(self):
        super().__init__()
        self.of = budget(per_server=4)
        self.lent: list[tuple[str, Connection]] = []
        self.made: dict[int, tuple[str, Connection]] = {}

    @rule(holder=st.sampled_from("abcde"))
    def take(self, holder):
        try:
            connection = self.of.acquire(holder)
        except errors.BudgetExhausted:
            held = [each for each, _ in self.lent]
            assert len(held) == 4 or held.count(holder) == 2
            return
        if connection is None:
            connection = Connection()
            self.made[id(connection)] = (holder, connection)
        assert connection.is_open
        assert self.made[id(connection)][0] == holder
        self.lent.append((holder, connection))

    @rule(index=st.integers(min_value=0))
    def give_back(self, index):
        if self.lent:
            self.of.release(*self.lent.pop(index % len(self.lent)))

    @rule(index=st.integers(min_value=0))
    def lose(self, index):
        if self.lent:
            holder, connection = self.lent.pop(index % len(self.lent))
            connection.close()
            self.of.forfeit(holder)

    @rule(holder=st.sampled_from("abcde"))
    def drain(self, holder):
        self.of.drain(holder)

    @invariant()
    def never_over_budget(self):
        really_open = [holder for holder, connection in self.made.values() if connection.is_open]
        assert len(really_open) == self.of.open_count <= 4
        assert all(really_open.count(holder) <= 2 for holder in "abcde")

    @invariant()
    def what_is_lent_stays_open(self):
        assert all(connection.is_open for _, connection in self.lent)


BudgetMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBudgetMachine = BudgetMachine.TestCase
