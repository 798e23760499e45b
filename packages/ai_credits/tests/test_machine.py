"""Millions of operations in any order, on memory, SQLite and PostgreSQL, with `verify` as the judge.

Hypothesis draws bytes; each four are one step. So one draw makes hundreds of operations, and a failure still shrinks to a few. What is
counted as an operation is an act that the ledger was asked to carry out, whether it did or refused: not the passing of time, nor a step
that found nothing to do.
"""

import contextlib
import os
import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import create_engine, delete
from sqlalchemy.event import listen

from roomtone_ai_credits import AiCredits, Hold, Overrun, Usage, errors, models, schema
from roomtone_ai_credits.ledger import Ledger
from roomtone_ai_credits.memory import MemoryLedger
from roomtone_ai_credits.testing import FrozenClock
from roomtone_ai_credits.verbs import Verbs

KINDS = ["promotion", "pack"]
USERS = [None, "ada", "bob"]
POLICIES = [None, *Overrun]
WINDOWS = ["total", "day", "week", "month"]
# Steps per draw, and draws per example: what one example of Hypothesis has room for.
STEPS, DRAWS = 200, 8
CROWD = 16
# Operations of each run in CI, two million in all; CREDITS_TIMES=5 makes ten million.
SHARES = {"memory 1": 960_000, "memory 2": 960_000, "sqlite": 40_000, "postgresql": 40_000}
EXAMPLES, ROUNDS_MAX = 20, 1000


class Play:
    """Turns four bytes into an operation on one of two accounts, and remembers what later ones may refer to."""

    def __init__(self, ledger, verbs, clock, accounts):
        self.ledger, self.verbs, self.clock, self.accounts = ledger, verbs, clock, accounts
        self.count = self.asked = 0
        self.holds, self.charges, self.grants, self.acts = [], [], [], []

    def step(self, code, a, b, c):
        self.count += 1
        account = self.accounts[c & 1]
        verb = VERBS[code % len(VERBS)]
        with contextlib.suppress(errors.CreditsError):
            verb(self, account, a, b, c >> 1)

    def key(self, name):
        return f"{name} {self.count}"

    def transact(self, account, acts):
        self.asked += len(acts)
        return self.ledger.transact(account, acts)

    def run(self, account, act):
        (outcome,) = self.transact(account, [act])
        answer = outcome.get()
        self.acts = [*self.acts[-15:], (account, act, answer)]
        return answer

    def grant(self, account, a, b, c):
        key = self.key("grant")
        lasts = None if c < 40 else self.clock.now + timedelta(days=c - 39)
        begins = self.clock.now + timedelta(days=3) if c == 7 else None
        models_ = ("unit-a*",) if c == 9 else ()
        price = {"cost_minor": 500, "currency": "EUR"} if a & 1 else {}
        act = self.verbs.grant(
            account, amount=a + b * 7 + 1, key=key, kind=KINDS[a & 1], expires_at=lasts, effective_at=begins, models=models_, **price
        )
        self.run(account, act)
        self.grants.append((account, key))

    def adjust(self, account, a, b, c):
        self.run(account, self.verbs.adjust(account, amount=(a - b) or 1, key=self.key("adjust"), reason="r", actor="a"))

    def set_allowance(self, account, a, b, c):
        anchor = self.clock.now - timedelta(days=b % 40, hours=c)
        rolls = {"rollover_max": 10 * b, "rollover_percent": min(c, 100), "rollover_months": 1 + c % 4}
        zone = ["UTC", "Europe/Paris"][b & 1]
        act = self.verbs.set_allowance(account, amount=a * 3, anchor_at=anchor, key=self.key("allow"), timezone=zone, **rolls)
        self.run(account, act)

    def end_allowance(self, account, a, b, c):
        if a < 64:
            self.run(account, self.verbs.end_allowance(account, key=self.key("end")))

    def hold(self, account, a, b, c):
        least = Usage(input_tokens=a // 4) if c & 1 else None
        parent = self.holds[-1 - b % min(len(self.holds), 9)] if self.holds and c % 5 == 0 else (account, None)
        if parent[0] != account:
            parent = (account, None)
        act = self.verbs.hold(
            account,
            model=["unit-a", "unit-b"][b & 1],
            estimate=Usage(input_tokens=a),
            key=self.key("hold"),
            user=USERS[c % 3],
            feature="chat" if b & 2 else None,
            ttl_s=60 + b * 600,
            at_least=least,
            parent=parent[1],
        )
        self.holds.append((account, self.run(account, act).id))

    def pick_hold(self, b):
        if not self.holds:
            raise errors.UnknownHold("none yet")
        return self.holds[-1 - b % min(len(self.holds), 12)]

    def grow(self, _, a, b, c):
        account, hold_id = self.pick_hold(b)
        self.run(account, self.verbs.grow(hold_id, a + 1))

    def settle(self, _, a, b, c):
        account, hold_id = self.pick_hold(b)
        usage = None if c == 3 else Usage(input_tokens=a, output_tokens=a if c == 5 else 0)
        self.run(account, self.verbs.settle(hold_id, usage, overrun=POLICIES[c % 4]))

    def release(self, _, a, b, c):
        account, hold_id = self.pick_hold(b)
        self.run(account, self.verbs.release(hold_id))

    def charge(self, account, a, b, c):
        key = self.key("charge")
        self.run(account, self.verbs.charge(account, model="unit-b", usage=Usage(input_tokens=a), key=key, user=USERS[c % 3]))
        self.charges.append((account, key))

    def reverse(self, _, a, b, c):
        if self.charges:
            account, key = self.charges[-1 - b % min(len(self.charges), 9)]
            self.run(account, self.verbs.reverse(account, key=key, reason="r", actor="a"))

    def claw_back(self, _, a, b, c):
        if self.grants:
            account, key = self.grants[-1 - b % min(len(self.grants), 9)]
            self.run(account, self.verbs.claw_back(account, key=key, reason="r", actor="a", is_owed=bool(c & 1)))

    def transfer(self, account, a, b, c):
        (target,) = {*self.accounts} - {account}
        key = self.key("move")
        parts = self.run(account, self.verbs.transfer_out(account, amount=a + 1, key=key, reason="r", actor="a"))
        self.run(target, self.verbs.transfer_in(target, parts, key=key, reason="r", actor="a"))

    def set_limit(self, account, a, b, c):
        scope, name = ("user", "seat") if c & 1 else ("account", "all")
        subject = "ada" if c & 1 and b & 1 else None
        if c > 100:
            self.run(account, self.verbs.remove_limit(account, name, subject=subject, key=self.key("limit")))
            return
        length = 3600 * (1 + c) if b > 200 else 0
        window = "rolling" if length else WINDOWS[b % 4]
        act = self.verbs.set_limit(
            account,
            name,
            amount=a * 4,
            scope=scope,
            subject=subject,
            window=window,
            length_s=length,
            is_hard=b % 3 > 0,
            key=self.key("limit"),
        )
        self.run(account, act)

    def set_rules(self, account, a, b, c):
        if c & 1:
            self.run(account, self.verbs.set_alerts(account, below={a + 1: b + 1}, key=self.key("alerts")))
        else:
            self.run(account, self.verbs.set_top_up(account, below=a + 1, amount=b + 1, cooldown_s=c * 60, key=self.key("rule")))

    def top_up(self, account, a, b, c):
        if c & 1:
            self.run(account, self.verbs.pay_top_up(account, intent=f"top-up-{1 + a % 6}"))
        else:
            self.run(account, self.verbs.fail_top_up(account, intent=f"top-up-{1 + a % 6}", reason="r"))

    def wait(self, _, a, b, c):
        self.clock.advance(days=c % 9 if a & 1 else 0, seconds=a * b)

    def ask_again(self, _, a, b, c):
        """The same act once more, as after a lost answer."""
        if self.acts:
            account, act, answer = self.acts[-1 - b % len(self.acts)]
            (outcome,) = self.transact(account, [act])
            again = outcome.get()
            for fact in ("charged", "amount", "taken") if hasattr(answer, "replayed") else ():
                assert getattr(again, fact, None) == getattr(answer, fact, None), (answer, again)

    def together(self, account, a, b, c):
        """Several acts in one transaction, one of them refused."""
        keys = [self.key(f"together {n}") for n in range(3)]
        acts = [
            self.verbs.charge(account, model="unit-b", usage=Usage(input_tokens=n), key=key)
            for n, key in zip((a, b, 10**6), keys, strict=True)
        ]
        outcomes = self.transact(account, [*acts, acts[0]])
        assert outcomes[2].problem is not None
        assert (outcomes[0].problem is None) == (outcomes[3].problem is None) or outcomes[1].problem is None

    def crowd(self, account, a, b, c):
        """Callers at the same moment, as the combiner brings them together: each has an answer or a refusal of their own."""
        known = [hold_id for owner, hold_id in self.holds[-2 * CROWD :] if owner == account]
        acts = [self.one_of_a_crowd(account, known, number, a, b, c) for number in range(CROWD)]
        for outcome in self.transact(account, acts):
            if isinstance(outcome.answer, Hold):
                self.holds.append((account, outcome.answer.id))
            if outcome.problem is not None and not isinstance(outcome.problem, errors.CreditsError):
                raise outcome.problem

    def one_of_a_crowd(self, account, known, number, a, b, c):
        what, usage = (a + number * (1 + c % 3)) % 4, Usage(input_tokens=(b + number * c) % 64)
        key, user = self.key(f"crowd {number}"), USERS[(b + number) % 3]
        if what == 0 or (what > 1 and not known):
            return self.verbs.charge(account, model="unit-b", usage=usage, key=key, user=user)
        if what == 1:
            return self.verbs.hold(account, model="unit-a", estimate=usage, key=key, user=user, ttl_s=60 + c * 600)
        hold_id = known[(b + number) % len(known)]
        return self.verbs.settle(hold_id, usage) if what == 2 else self.verbs.release(hold_id)


VERBS = [
    *[Play.grant, Play.adjust, Play.set_allowance, Play.end_allowance, Play.hold, Play.hold, Play.hold, Play.grow],
    *[Play.settle, Play.settle, Play.release, Play.charge, Play.charge, Play.reverse, Play.claw_back, Play.transfer],
    *[Play.set_limit, Play.set_rules, Play.top_up, Play.wait, Play.wait, Play.ask_again, Play.together],
    *[Play.crowd] * 4,
]


class CreditMachine(RuleBasedStateMachine):
    """Operations on two accounts; in the end the books are proved."""

    made = 0

    def __init__(self):
        super().__init__()
        self.play = self.begin(FrozenClock())

    @rule(data=st.binary(min_size=3 * STEPS, max_size=4 * STEPS))
    def operate(self, data):
        before = self.play.asked
        for place in range(0, len(data) - 3, 4):
            self.play.step(*data[place : place + 4])
        type(self).made += self.play.asked - before

    @invariant()
    def nothing_is_promised_twice(self):
        self.look()

    def look(self):
        """What can be seen without the history, after each draw."""

    def teardown(self):
        self.prove()


def machine(begin, prove, look=CreditMachine.look):
    return type("Machine", (CreditMachine,), {"begin": begin, "prove": prove, "look": look, "made": 0})


def run(kind, examples, draws):
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    limits = settings(max_examples=examples, stateful_step_count=draws, deadline=None, suppress_health_check=checks, database=None)
    run_state_machine_as_test(kind, settings=limits)
    return kind.made


@pytest.fixture
def verbs(card):
    return lambda clock: Verbs(rate_card=card, clock=clock, hold_ttl_s=600, open_holds_max=40)


def in_memory(verbs, examples, draws=DRAWS):
    """The memory's books are proved by the same `verify`, in a database that has only the tables."""
    engine = create_engine("sqlite://")
    models.Row.metadata.create_all(engine)

    def begin(_self, clock):
        return Play(MemoryLedger(clock=clock), verbs(clock), clock, ["a", "b"])

    def prove(self):
        with engine.begin() as connection:
            for table in reversed(models.Row.metadata.sorted_tables):
                connection.execute(delete(table))
            self.play.ledger.write_to(connection)
        AiCredits(engine, rate_card=self.play.verbs.rate_card).verify()

    def look(self):
        for account in ("a", "b"):
            if account in self.play.ledger:
                books = self.play.ledger.books(account)
                assert all(0 <= lot.held <= lot.remaining for lot in books.lots.values())
                assert books.held == sum(hold.amount for hold in books.holds.values())

    made = run(machine(begin, prove, look), examples, draws)
    engine.dispose()
    return made


class Processes:
    """Ledgers of two processes: the second is asked now and then, so that the first has books at hand that are old."""

    def __init__(self, *ledgers):
        self.ledgers, self.turns = ledgers, 0

    def transact(self, account, acts):
        self.turns += 1
        return self.ledgers[self.turns % 5 == 0].transact(account, acts)


def in_database(engine, verbs, examples, draws=DRAWS):
    def begin(_self, clock):
        name = f"machine {uuid.uuid4().hex}"
        ledgers = Processes(Ledger(engine, clock=clock), Ledger(engine, clock=clock))
        return Play(ledgers, verbs(clock), clock, [f"{name} a", f"{name} b"])

    def prove(self):
        for account in self.play.accounts:
            AiCredits(engine, rate_card=self.play.verbs.rate_card).verify(account)

    return run(machine(begin, prove), examples, draws)


def test_a_few_thousand_operations_leave_books_that_balance(verbs):
    assert in_memory(verbs, 6) >= 1000


def test_a_few_hundred_operations_in_a_database_leave_books_that_balance(engine, verbs):
    assert in_database(engine, verbs, examples=1, draws=2) >= 200


def until(share, play):
    """Play rounds of examples until there were so many operations; says how many there were."""
    wanted, made = SHARES[share] * int(os.environ.get("CREDITS_TIMES", "1")), 0
    for _ in range(ROUNDS_MAX):
        if made >= wanted:
            break
        made += play()
    print(f"{share}: {made} operations")
    assert made >= wanted


@pytest.fixture
def hasty(request, tmp_path):
    """A database that does not wait for its disk: what survives a crash is proved elsewhere."""
    if request.param == "postgresql":
        yield request.getfixturevalue("postgres_engine")
        return
    engine = create_engine(f"sqlite:///{tmp_path}/machine.db")
    listen(engine, "connect", lambda driver, _record: driver.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"))
    schema.upgrade(engine)
    yield engine
    engine.dispose()


def test_the_shares_come_to_two_million():
    assert sum(SHARES.values()) >= 2_000_000


@pytest.mark.machine
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("share", ["memory 1", "memory 2"])
def test_most_of_two_million_operations_in_memory_leave_books_that_balance(verbs, share):
    until(share, lambda: in_memory(verbs, EXAMPLES))


@pytest.mark.machine
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("hasty", ["sqlite", "postgresql"], indirect=True)
def test_the_rest_of_two_million_operations_in_databases_leave_books_that_balance(hasty, verbs):
    until(hasty.dialect.name, lambda: in_database(hasty, verbs, EXAMPLES, draws=2))


def test_a_wrong_sum_is_found(verbs):
    """The judge is awake: a ledger that forgets a single micro-credit is caught."""
    clock = FrozenClock()
    play = Play(MemoryLedger(clock=clock), verbs(clock), clock, ["a", "b"])
    play.grant("a", 50, 0, 0)
    play.ledger.books("a").debt = 1
    engine = create_engine("sqlite://")
    schema.upgrade(engine)

    with engine.begin() as connection:
        play.ledger.write_to(connection)

    with pytest.raises(errors.LedgerMismatch):
        AiCredits(engine, rate_card=play.verbs.rate_card).verify()
    engine.dispose()
