"""Callers of one account at the same time share transactions, and none of them can tell."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session

from roomtone_ai_credits import AiCredits, Usage, errors
from roomtone_ai_credits.acts import Act, Outcome
from roomtone_ai_credits.combiner import Combiner


class Bench:
    """A run that notes its batches and waits to be let go."""

    def __init__(self):
        self.batches, self.may_go, self.has_begun = [], threading.Event(), threading.Event()

    def __call__(self, account, acts):
        self.batches.append([act.entry_keys[0] for act in acts])
        self.has_begun.set()
        assert self.may_go.wait(10)
        if any(act.entry_keys[0] == "broken" for act in acts):
            raise DataError("insert", {}, Exception("a text no database takes"))
        return [Outcome(answer=f"{act.entry_keys[0]} done") for act in acts]


def act(key):
    return Act(plan=lambda _books: None, account="a", entry_keys=(key,))


class Crowd:
    """Callers in threads, who come one after the other while the first is being served."""

    def __init__(self, combiner):
        self.combiner, self.answers, self.threads = combiner, {}, []

    def come(self, key):
        def run():
            try:
                self.answers[key] = self.combiner.submit("a", act(key))
            except BaseException as problem:  # noqa: BLE001  # the test looks at it
                self.answers[key] = problem

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def come_and_queue(self, key):
        before = len(self.combiner._waiting["a"])
        self.come(key)
        deadline = time.monotonic() + 10
        while len(self.combiner._waiting["a"]) == before:
            assert time.monotonic() < deadline

    def go(self):
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def bench():
    return Bench()


def crowd_of(combiner, bench, *keys):
    crowd = Crowd(combiner)
    crowd.come("first")
    assert bench.has_begun.wait(10)
    for key in keys:
        crowd.come_and_queue(key)
    bench.may_go.set()
    crowd.go()
    return crowd


def test_who_comes_while_another_is_served_is_served_together(bench):
    crowd = crowd_of(Combiner(bench), bench, "b", "c", "d")

    assert bench.batches == [["first"], ["b", "c", "d"]]
    assert crowd.answers == {key: f"{key} done" for key in ("first", "b", "c", "d")}


def test_a_batch_is_bounded(bench):
    crowd_of(Combiner(bench, batch_max=2), bench, "b", "c", "d")

    assert bench.batches == [["first"], ["b", "c"], ["d"]]


def test_one_whose_request_breaks_the_transaction_fails_alone(bench):
    crowd = crowd_of(Combiner(bench), bench, "b", "broken", "d")

    assert isinstance(crowd.answers.pop("broken"), DataError)
    assert crowd.answers == {key: f"{key} done" for key in ("first", "b", "d")}


def test_a_database_that_is_away_is_not_tried_for_each(bench):
    tried = []

    def away(account, acts):
        bench(account, acts)
        tried.append(len(acts))
        raise OperationalError("begin", {}, Exception("the server is away"))

    crowd = crowd_of(Combiner(away), bench, "b", "c")

    assert tried == [1, 2]
    assert all(isinstance(answer, OperationalError) for answer in crowd.answers.values())


def test_a_full_queue_refuses(bench):
    combiner = Combiner(bench, queue_max=1)
    crowd = Crowd(combiner)
    crowd.come("first")
    assert bench.has_begun.wait(10)
    crowd.come_and_queue("b")

    with pytest.raises(errors.LedgerBusy) as refusal:
        combiner.submit("a", act("c"))

    bench.may_go.set()
    crowd.go()
    assert refusal.value.account == "a"


def test_a_leader_that_is_interrupted_leaves_its_batch_to_the_others(bench):
    def interrupted_once(account, acts):
        bench(account, acts)
        if bench.batches == [["first"], ["b", "c", "d"]]:
            raise KeyboardInterrupt
        return [Outcome(answer="done") for _ in acts]

    crowd = crowd_of(Combiner(interrupted_once), bench, "b", "c", "d")

    assert isinstance(crowd.answers.pop("b"), KeyboardInterrupt)
    assert crowd.answers == {"first": "done", "c": "done", "d": "done"}


def test_accounts_do_not_wait_for_each_other(bench):
    combiner = Combiner(bench)
    crowd = Crowd(combiner)
    crowd.come("first")
    assert bench.has_begun.wait(10)
    bench.may_go.set()

    assert combiner.submit("b", act("other")) == "other done"
    crowd.go()


def test_an_account_at_rest_is_forgotten(bench):
    bench.may_go.set()
    combiner = Combiner(bench)

    combiner.submit("a", act("k"))

    assert combiner._waiting == {}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_threads_it_does_not_have(bench):
    combiner = Combiner(bench)
    crowd = Crowd(combiner)
    crowd.come("first")
    assert bench.has_begun.wait(10)

    child = os.fork()
    if child == 0:
        bench.may_go.set()
        signal.alarm(10)
        os._exit(0 if combiner.submit("a", act("child")) == "child done" else 1)
    _, status = os.waitpid(child, 0)
    bench.may_go.set()
    crowd.go()

    assert status == 0


def test_an_account_that_a_host_keeps_locked_is_busy(postgres_engine, card, account):
    impatient = AiCredits(postgres_engine, rate_card=card, lock_timeout_s=1)
    impatient.grant(None, account, amount=5, key="fund")

    with Session(postgres_engine) as session, session.begin():
        impatient.grant(session, account, amount=5, key="slow")
        with pytest.raises(errors.LedgerBusy):
            impatient.grant(None, account, amount=5, key="waits")

    assert impatient.balance(account).available == 10


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
def test_a_crowd_is_served_whatever_a_host_sets_its_connections_to(postgres_engine, card, account, level):
    engine = create_engine(postgres_engine.url, isolation_level=level, pool_size=16)
    callers = [AiCredits(engine, rate_card=card) for _ in range(4)]  # four combiners, as in four processes
    callers[0].grant(None, account, amount=100, key="fund")

    def work(number):
        return callers[number % 4].charge(account, model="unit", usage=Usage(input_tokens=7), key=f"work {number}").charged

    with ThreadPoolExecutor(16) as pool:
        outcomes = [pool.submit(work, number) for number in range(20)]
    charged = [outcome for outcome in outcomes if outcome.exception() is None]
    left = callers[0].balance(account).available
    engine.dispose()

    assert (len(charged), left) == (14, 2)


# ── On the ledger ─────────────────────────────────────────────────────────────


def test_a_charge_is_taken_at_once_and_once(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")

    charged = [ledger.charge(account, model="unit", usage=Usage(input_tokens=30), key="image") for _ in range(2)]

    assert [(charge.charged, charge.replayed) for charge in charged] == [(30, False), (30, True)]
    assert ledger.balance(account).available == 70


def test_a_charge_nobody_can_pay_is_refused(ledger, account):
    ledger.grant(None, account, amount=10, key="fund")

    with pytest.raises(errors.InsufficientCredits) as refusal:
        ledger.charge(account, model="unit", usage=Usage(input_tokens=11), key="image")

    assert (refusal.value.needed, refusal.value.available, ledger.balance(account).available) == (11, 10, 10)


@pytest.mark.parametrize("first", ["hold", "charge"])
def test_a_key_is_for_a_hold_or_for_a_charge(ledger, account, first):
    ledger.grant(None, account, amount=100, key="fund")
    verbs = {
        "hold": lambda: ledger.hold(account, model="unit", estimate=Usage(input_tokens=5), key="k"),
        "charge": lambda: ledger.charge(account, model="unit", usage=Usage(input_tokens=5), key="k"),
    }
    verbs.pop(first)()

    with pytest.raises(errors.IdempotencyConflict):
        verbs.popitem()[1]()


def test_a_charge_is_reversed_into_its_lots(ledger, account, transaction):
    ledger.grant(None, account, amount=100, key="fund")
    ledger.charge(account, model="unit", usage=Usage(input_tokens=30), key="image")

    with transaction() as session:
        ledger.reverse(session, account, key="image", reason="blurred", actor="ada")

    assert [lot.remaining for lot in ledger.balance(account).lots] == [100]


def test_a_host_holds_and_settles_in_a_transaction_of_its_own(ledger, account, transaction):
    ledger.grant(None, account, amount=100, key="fund")

    with transaction() as session:
        mine = ledger.within(session)
        hold = mine.hold(account, model="unit", estimate=Usage(input_tokens=50), key="work")
        mine.settle(hold.id, Usage(input_tokens=20))
        mine.charge(account, model="unit", usage=Usage(input_tokens=5), key="more")

    assert ledger.balance(account).available == 75


def test_what_a_host_rolls_back_was_never_held(ledger, account, transaction):
    ledger.grant(None, account, amount=100, key="fund")

    def host():
        with transaction() as session:
            ledger.within(session).hold(account, model="unit", estimate=Usage(input_tokens=50), key="work")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        host()

    assert ledger.balance(account).held == 0
