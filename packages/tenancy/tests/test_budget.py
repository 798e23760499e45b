from __future__ import annotations

import os
import signal
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roomtone_tenancy import PoolLimits, errors
from roomtone_tenancy.budget import ConnectionBudget
from roomtone_tenancy.lending import Shelf


class Connection:
    def __init__(self):
        self.is_open = True

    def close(self):
        self.is_open = False


class Bank:
    """A budget with one shelf for each tenant, and connections that know whether they are open."""

    def __init__(self, *, timer=lambda: 0.0, **limits):
        self.budget = ConnectionBudget("main", PoolLimits(**{"per_tenant": 2, "per_server": 3, "wait_s": 0, **limits}), timer=timer)
        self.shelves = {}

    def shelf(self, holder):
        return self.shelves.setdefault(holder, Shelf(holder))

    def take(self, holder):
        lease = self.budget.acquire(self.shelf(holder))
        return lease, lease.connection or Connection()

    def idle(self, holder):
        lease, connection = self.take(holder)
        self.budget.release(lease, connection)
        return connection


def test_a_connection_given_back_is_lent_to_its_own_tenant_again():
    bank = Bank()
    connection = bank.idle("a")

    assert bank.take("a")[1] is connection


def test_a_connection_is_never_lent_to_another_tenant():
    bank = Bank()
    bank.idle("a")

    assert bank.budget.acquire(bank.shelf("b")).connection is None


def test_a_full_server_closes_the_connection_that_was_idle_for_longest():
    bank = Bank()
    taken = {holder: bank.take(holder) for holder in "abc"}
    for holder in "bac":
        bank.budget.release(*taken[holder])

    bank.take("d")

    assert [holder for holder in "abc" if not taken[holder][1].is_open] == ["b"]
    assert bank.budget.open_count == 3


def test_what_is_lent_is_never_closed_and_the_error_says_who_holds_what_and_how_long():
    now = iter(range(100))
    bank = Bank(timer=lambda: next(now))
    lent = [bank.take(holder)[1] for holder in "aab"]

    with pytest.raises(errors.BudgetExhausted) as caught:
        bank.take("c")

    assert all(connection.is_open for connection in lent)
    assert (caught.value.tenant, caught.value.server, caught.value.holders) == ("c", "main", {"a": 2, "b": 1})
    assert caught.value.longest_s["a"] > caught.value.longest_s["b"] > 0
    assert "a: 2 for" in str(caught.value)


def test_one_tenant_cannot_take_more_than_its_share_while_others_go_on():
    bank = Bank()
    bank.take("a")
    bank.take("a")

    with pytest.raises(errors.BudgetExhausted):
        bank.take("a")
    assert bank.take("b")


def test_a_burst_of_one_tenant_is_served_within_its_share():
    bank = Bank(wait_s=10)
    most, now, lock = [], set(), threading.Lock()

    def work(number):
        lease, connection = bank.take("a")
        with lock:
            now.add(number)
            most.append(len(now))
        with lock:
            now.discard(number)
        bank.budget.release(lease, connection)

    with ThreadPoolExecutor(25) as threads:
        list(threads.map(work, range(50)))

    assert len(most) == 50
    assert max(most) <= 2


def test_waiters_are_served_in_order_of_arrival():
    bank = Bank(per_server=1, per_tenant=1, wait_s=10)
    first, order, threads = bank.take("a"), [], []

    def wait(holder):
        taken = bank.take(holder)
        order.append(holder)
        bank.budget.release(*taken)

    for count, holder in enumerate("bcde", start=1):
        threads.append(threading.Thread(target=wait, args=[holder]))
        threads[-1].start()
        while bank.budget.report().waiting < count:
            pass
    bank.budget.release(*first)
    for thread in threads:
        thread.join()

    assert order == list("bcde")


def test_a_waiter_that_is_interrupted_leaves_the_queue_and_its_room():
    bank = Bank(per_server=1, wait_s=10)
    lease, connection = bank.take("a")

    def interrupt():
        while not bank.budget.report().waiting:
            pass
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        bank.take("b")
    signal.signal(signal.SIGUSR1, before)
    bank.budget.release(lease, connection)

    assert bank.budget.report().waiting == 0
    assert bank.take("c")


def test_a_connection_that_could_not_be_opened_leaves_its_room():
    bank = Bank(per_server=1)
    bank.budget.forfeit(bank.take("a")[0])

    assert bank.take("b")


def test_draining_closes_what_is_idle_and_leaves_what_is_lent():
    bank = Bank()
    lent = bank.take("a")[1]
    idle = bank.idle("a")

    bank.budget.drain(bank.shelf("a"))

    assert (lent.is_open, idle.is_open, bank.budget.open_count) == (True, False, 1)


def test_a_retired_shelf_closes_what_is_lent_when_it_comes_back():
    bank = Bank()
    lease, connection = bank.take("a")

    bank.budget.retire(bank.shelf("a"))
    was_open = connection.is_open
    bank.budget.release(lease, connection)

    assert (was_open, connection.is_open, bank.budget.open_count) == (True, False, 0)


@pytest.mark.parametrize("verb", ["release", "forfeit"])
def test_giving_back_twice_is_harmless(verb):
    bank = Bank()
    lease, connection = bank.take("a")
    again = {"release": lambda: bank.budget.release(lease, connection), "forfeit": lambda: bank.budget.forfeit(lease)}[verb]
    bank.budget.release(lease, connection)

    again()

    assert (connection.is_open, bank.budget.open_count, bank.budget.report().idle) == (True, 1, 1)


def test_a_smaller_limit_closes_idle_connections_first_and_never_a_lent_one():
    bank = Bank()
    lease, lent = bank.take("a")
    idle = [bank.idle("b"), bank.idle("c")]

    bank.budget.resize(1)
    after = bank.budget.report()
    bank.budget.resize(0)
    bank.budget.release(lease, lent)

    assert [connection.is_open for connection in idle] == [False, False]
    assert (after.open, after.lent, after.limit) == (1, 1, 1)
    assert (lent.is_open, bank.budget.open_count) == (False, 0)


def test_a_larger_limit_lets_those_who_wait_in():
    bank = Bank(per_server=1, wait_s=10)
    bank.take("a")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(bank.take, "b")
        while not bank.budget.report().waiting:
            pass
        bank.budget.resize(2)

        assert waiting.result()


def test_what_is_being_closed_is_counted_until_it_is_closed():
    seen = []

    class Slow(Connection):
        def close(self):
            seen.append(bank.budget.open_count)
            super().close()

    bank = Bank()
    lease, _ = bank.take("a")
    bank.budget.release(lease, Slow())

    bank.budget.drain(bank.shelf("a"))

    assert (seen, bank.budget.open_count) == ([1], 0)


def test_a_lease_held_for_too_long_is_reported_once_with_the_stack_that_took_it(caplog):
    now = [0.0]
    bank = Bank(leak_s=10, timer=lambda: now[0])
    lease, connection = bank.take("a")
    now[0] = 11.0

    reported = bank.budget.report().long_leases
    bank.budget.release(lease, connection)
    bank.budget.release(lease, connection)

    assert [(each.tenant, each.held_s) for each in reported] == [("a", 11.0)]
    assert "test_a_lease_held_for_too_long" in reported[0].stack
    assert len(caplog.records) == 1
    assert "test_a_lease_held_for_too_long" in caplog.text


def test_the_report_counts_what_is_open_lent_idle_and_waited_for():
    bank = Bank()
    bank.take("a")
    bank.idle("a")
    bank.idle("b")

    report = bank.budget.report()

    assert (report.server, report.open, report.lent, report.idle, report.waiting, report.limit) == ("main", 3, 1, 2, 0, 3)
    assert [(each.tenant, each.open, each.lent) for each in report.tenants] == [("a", 2, 1), ("b", 1, 0)]


def test_a_forked_child_starts_with_none_of_its_parents_connections():
    bank = Bank(per_server=1)
    connection = bank.idle("a")
    child = os.fork()
    if child == 0:
        is_new = bank.budget.acquire(bank.shelf("a")).connection is None and connection.is_open
        os._exit(0 if is_new and bank.budget.open_count == 1 else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert bank.take("a")[1] is connection


class BudgetMachine(RuleBasedStateMachine):
    """Tenants take, return, break and drain in any order while the limit changes; the bounds hold and nobody gets another's connection."""

    def __init__(self):
        super().__init__()
        self.bank = Bank(per_server=4)
        self.lent = []
        self.made = defaultdict(list)

    @rule(holder=st.sampled_from("abcde"))
    def take(self, holder):
        before = sum(map(len, self.really_open().values()))
        try:
            lease, connection = self.bank.take(holder)
        except errors.BudgetExhausted:
            held = [each.shelf.holder for each, _ in self.lent]
            assert len(held) >= self.bank.budget.limit or held.count(holder) == 2 or before > self.bank.budget.limit
            return
        assert connection.is_open
        assert all(connection not in made for other, made in self.made.items() if other != holder)
        if connection not in self.made[holder]:
            self.made[holder].append(connection)
            assert sum(map(len, self.really_open().values())) <= self.bank.budget.limit
        self.lent.append((lease, connection))

    @rule(index=st.integers(min_value=0))
    def give_back(self, index):
        if self.lent:
            self.bank.budget.release(*self.lent.pop(index % len(self.lent)))

    @rule(index=st.integers(min_value=0))
    def lose(self, index):
        if self.lent:
            lease, connection = self.lent.pop(index % len(self.lent))
            connection.close()
            self.bank.budget.forfeit(lease)

    @rule(holder=st.sampled_from("abcde"))
    def drain(self, holder):
        self.bank.budget.drain(self.bank.shelf(holder))

    @rule(holder=st.sampled_from("abcde"))
    def retire(self, holder):
        self.bank.budget.retire(self.bank.shelf(holder))
        del self.bank.shelves[holder]

    @rule(limit=st.integers(min_value=0, max_value=6))
    def resize(self, limit):
        self.bank.budget.resize(limit)

    def really_open(self):
        return {holder: [each for each in made if each.is_open] for holder, made in self.made.items()}

    @invariant()
    def never_over_budget(self):
        really_open = self.really_open()
        assert sum(map(len, really_open.values())) == self.bank.budget.open_count <= max(self.bank.budget.limit, len(self.lent))
        assert all(len(each) <= 2 for each in really_open.values())

    @invariant()
    def what_is_lent_stays_open(self):
        assert all(connection.is_open for _, connection in self.lent)


BudgetMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBudgetMachine = BudgetMachine.TestCase
