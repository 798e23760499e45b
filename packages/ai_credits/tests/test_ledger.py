"""The ledger against a plain model, against crowds, and against people with SQL."""

import calendar
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from roomtone_ai_credits import AiCredits, Usage, errors, schema
from roomtone_ai_credits.testing import FrozenClock, fund

DAY_S = 86_400
START = datetime(2026, 1, 31, tzinfo=UTC)
# The second month of A begins at C; D is still to come.
ANCHORS = {"A": START, "B": START - timedelta(days=16), "C": datetime(2026, 2, 28, tzinfo=UTC), "D": datetime(2026, 3, 31, tzinfo=UTC)}


class Model:
    """The rules in plain Python, one day at a time: lists and dictionaries, no accounting, no database."""

    def __init__(self):
        self.day, self.debt = 0, 0
        self.lots, self.holds, self.plans, self.charges = [], {}, {}, {}

    def live(self):
        lots = [lot for lot in self.lots if lot["ends"] is None or self.day < lot["ends"]]
        return sorted(lots, key=lambda lot: (lot["rank"], 10**9 if lot["ends"] is None else lot["ends"], lot["number"]))

    def available(self):
        return sum(lot["left"] - lot["held"] for lot in self.live()) - self.debt

    def add(self, rank, amount, ends=None, plan=None):
        self.lots.append({"number": len(self.lots), "rank": rank, "left": amount, "held": 0, "ends": ends, "plan": plan})
        self.settle_up()

    def take(self, amount):
        taken = []
        for lot in self.live():
            part = min(lot["left"] - lot["held"], amount)
            if part > 0:
                lot["left"] -= part
                amount -= part
                taken.append((lot, part))
        return taken, amount

    def settle_up(self):
        for lot in self.lots:
            if lot not in self.live():
                lot["left"] = lot["held"]
        _, self.debt = self.take(self.debt)

    def next_day(self):
        self.day += 1
        for hold in self.holds.values():
            if hold["state"] == "open" and hold["ends"] == self.day:
                self.let_go(hold, "expired")
        for lot in self.lots:
            if lot not in self.live():
                lot["left"] = lot["held"]
        for anchor, plan in self.plans.items():
            if plan["on"] and self.starts(anchor, plan["next"]) == self.day:
                plan["next"] += 1
                plan["given"] = plan["amount"]
                self.add(10, plan["amount"], self.starts(anchor, plan["next"]), plan=anchor)
        self.settle_up()

    def let_go(self, hold, state):
        for lot, part in hold["slices"]:
            lot["held"] -= part
        hold.update(state=state, slices=[])
        if state != "settled":
            self.settle_up()

    def starts(self, anchor, number):
        first = ANCHORS[anchor]
        month = first.month - 1 + number
        year, month = first.year + month // 12, month % 12 + 1
        day = min(first.day, calendar.monthrange(year, month)[1])
        return (datetime(year, month, day, tzinfo=UTC) - START).days

    def set_plan(self, anchor, amount):
        plan = self.plans.setdefault(anchor, {"next": 0, "given": 0, "on": False})
        number = plan["next"]
        while self.starts(anchor, number) <= self.day:
            number += 1
        given = 0
        for name, other in self.plans.items():
            if number and other["next"] and self.starts(name, other["next"] - 1) == self.starts(anchor, number - 1):
                for lot in self.live() if other["on"] else []:
                    lot["ends"] = self.starts(anchor, number) if lot["plan"] else lot["ends"]
                given = max(given, other["given"])
                other.update(on=False, given=0)
            elif name != anchor:
                self.end_plan(name)
        plan.update(amount=amount, on=True, next=number, given=max(given, amount) if number else 0)
        if number and amount > given:
            self.add(10, amount - given, self.starts(anchor, number), plan=anchor)

    def end_plan(self, anchor):
        plan = self.plans[anchor]
        if not plan["on"]:
            return
        plan["on"] = False
        for lot in self.live():
            if lot["plan"] is not None:
                plan["given"] -= lot["left"] - lot["held"]
                lot["ends"] = self.day
        self.settle_up()

    def hold(self, key, cost):
        known = self.holds.get(key)
        if known and known["state"] in {"open", "settled"}:
            return True
        if cost > max(0, self.available()):
            return False
        slices, _ = self.take(cost)
        for lot, part in slices:
            lot["left"] += part
            lot["held"] += part
        self.holds[key] = {"state": "open", "slices": slices, "ends": self.day + 2}
        return True

    def settle(self, key, cost):
        hold = self.holds[key]
        if hold["state"] == "settled":
            return self.charges[key]["cost"]
        paid, rest = [], cost
        for lot, part in hold["slices"]:
            used = min(part, rest)
            lot["left"] -= used
            rest -= used
            # What is promised and used leaves the lot, so that only the unused promise is let go below.
            paid.append((lot, used))
        self.let_go(hold, "settled")
        more, owed = self.take(rest)
        self.debt += owed
        self.charges[key] = {"cost": cost, "paid": paid + more, "owed": owed, "reversed": False}
        self.settle_up()
        return cost

    def reverse(self, key):
        charge = self.charges.get(key)
        if charge is None or charge["reversed"]:
            return
        charge["reversed"] = True
        for lot, part in charge["paid"]:
            lot["left"] += part
        forgiven = min(charge["owed"], self.debt)
        self.debt -= forgiven
        if charge["owed"] > forgiven:
            self.add(20, charge["owed"] - forgiven)
        self.settle_up()


class LedgerMachine(RuleBasedStateMachine):
    """Does the same to the ledger and to the model, and compares after every step."""

    engine = None
    card = None
    keys = Bundle("keys")

    def __init__(self):
        super().__init__()
        self.clock = FrozenClock(START)
        self.credits = AiCredits(self.engine, rate_card=self.card, clock=self.clock, hold_ttl_s=2 * DAY_S)
        self.account = uuid.uuid4().hex
        self.model = Model()
        self.count = 0

    def key(self):
        self.count += 1
        return f"key {self.count}"

    def twice(self, act):
        """Every act is done again at once: a replay must change nothing."""
        for _ in range(2):
            with Session(self.engine) as session, session.begin():
                act(session)

    @rule(amount=st.integers(1, 50), kind=st.sampled_from(["promotion", "pack"]), days=st.none() | st.integers(1, 40))
    def grant(self, amount, kind, days):
        key = self.key()
        ends = self.clock.now + timedelta(days=days) if days else None
        self.model.add(10 if kind == "promotion" else 30, amount, self.model.day + days if days else None)
        self.twice(lambda session: self.credits.grant(session, self.account, amount=amount, key=key, kind=kind, expires_at=ends))

    @rule(anchor=st.sampled_from("ABCD"), amount=st.integers(0, 60))
    def set_allowance(self, anchor, amount):
        key = self.key()
        self.model.set_plan(anchor, amount)
        self.twice(lambda session: self.credits.set_allowance(session, self.account, amount=amount, anchor_at=ANCHORS[anchor], key=key))

    @rule()
    def end_allowance(self):
        key = self.key()
        for anchor in self.model.plans:
            self.model.end_plan(anchor)
        self.twice(lambda session: self.credits.end_allowance(session, self.account, key=key))

    @rule(amount=st.integers(-30, 30).filter(bool))
    def adjust(self, amount):
        key = self.key()
        if amount > 0:
            self.model.add(20, amount)
        elif -amount <= self.model.available():
            self.model.take(-amount)
        else:
            with pytest.raises(errors.InsufficientCredits), Session(self.engine) as session:
                self.credits.adjust(session, self.account, amount=amount, key=key, reason="r", actor="a")
            return
        self.twice(lambda session: self.credits.adjust(session, self.account, amount=amount, key=key, reason="r", actor="a"))

    @rule(cost=st.integers(0, 40))
    def charge(self, cost):
        key = self.key()
        is_paid = cost <= max(0, self.model.available())
        if is_paid:
            self.model.take(cost)
        for _ in range(2):
            with suppress(errors.InsufficientCredits):
                assert self.credits.charge(self.account, model="unit", usage=Usage(input_tokens=cost), key=key).charged == cost
                assert is_paid
                continue
            assert not is_paid

    @rule(held=keys, amount=st.integers(1, 60))
    def grow(self, held, amount):
        hold = self.model.holds[held[0]]
        if hold["state"] == "settled":
            return
        more = max(0, amount - sum(part for _, part in hold["slices"]))
        is_granted = hold["state"] == "open" and more <= max(0, self.model.available())
        if is_granted:
            slices, _ = self.model.take(more)
            for lot, part in slices:
                lot["left"] += part
                lot["held"] += part
                had = next((n for n, (mine, _) in enumerate(hold["slices"]) if mine is lot), None)
                if had is None:
                    hold["slices"].append((lot, part))
                else:
                    hold["slices"][had] = (lot, hold["slices"][had][1] + part)
            hold["ends"] = self.model.day + 2
        for _ in range(2):
            with suppress(errors.InsufficientCredits):
                self.credits.grow(self.id_of(held[0]), amount)
                assert is_granted
                continue
            assert not is_granted

    @rule(target=keys, cost=st.integers(0, 40))
    def hold(self, cost):
        key = self.key()
        return multiple((key, cost)) if self.try_hold(key, cost) else multiple()

    @rule(held=keys)
    def hold_again(self, held):
        self.try_hold(*held)

    def try_hold(self, key, cost):
        is_held = self.model.hold(key, cost)
        for _ in range(2):
            with suppress(errors.InsufficientCredits):
                self.credits.hold(self.account, model="unit", estimate=Usage(input_tokens=cost), key=key)
                assert is_held
                continue
            assert not is_held
        return is_held

    def id_of(self, key):
        with self.engine.connect() as connection:
            return connection.scalar(
                text("SELECT h.id FROM credits_hold h JOIN credits_account a ON a.id = h.account_id WHERE a.account = :a AND h.key = :k"),
                {"a": self.account, "k": key},
            )

    @rule(held=keys, used=st.integers(0, 60))
    def settle(self, held, used):
        key, _ = held
        charged = self.model.settle(key, used)
        hold_id = self.id_of(key)
        assert [self.credits.settle(hold_id, Usage(input_tokens=n)).charged for n in (used, used + 1)] == [charged, charged]

    @rule(held=keys)
    def release(self, held):
        hold = self.model.holds[held[0]]
        if hold["state"] == "open":
            self.model.let_go(hold, "released")
        hold_id = self.id_of(held[0])
        assert [self.credits.release(hold_id).state for _ in range(2)] == [hold["state"]] * 2

    @rule(held=keys)
    def reverse(self, held):
        if held[0] in self.model.charges:
            self.model.reverse(held[0])
            self.twice(lambda session: self.credits.reverse(session, self.account, key=held[0], reason="r", actor="a"))

    @rule(days=st.integers(1, 45), look=st.booleans())
    def wait(self, days, look):
        for _ in range(days):
            self.model.next_day()
        self.clock.advance(days=days)
        if look:
            self.credits.sweep()

    @invariant()
    def the_ledger_and_the_model_agree(self):
        balance = self.credits.balance(self.account)
        assert (balance.available, balance.debt) == (self.model.available(), self.model.debt)
        assert balance.held == sum(lot["held"] for lot in self.model.lots)
        assert balance.available >= 0 or balance.debt == -balance.available

    def teardown(self):
        self.credits.verify(self.account)


@pytest.mark.parametrize("examples", [12])
def test_the_ledger_does_what_a_plain_model_does(engine, card, examples):
    class Machine(LedgerMachine):
        pass

    Machine.engine, Machine.card = engine, card
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=checks)
    )


def at_once(count, act):
    """Run `act(n)` in `count` threads released together; return what each returned or raised."""
    gate, answers = threading.Barrier(count), [None] * count

    def run(number):
        gate.wait()
        try:
            answers[number] = act(number)
        except Exception as problem:  # noqa: BLE001  # the test looks at it
            answers[number] = problem

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_sixteen_callers_of_a_balance_for_ten_get_ten_holds(ledger, account, transaction):
    with transaction() as session:
        ledger.grant(session, account, amount=109, key="fund")

    answers = at_once(16, lambda n: ledger.hold(account, model="unit", estimate=Usage(input_tokens=10), key=f"work {n}"))

    refusals = [answer for answer in answers if isinstance(answer, errors.InsufficientCredits)]
    assert (len(refusals), {refusal.available for refusal in refusals}) == (6, {9})
    assert (ledger.balance(account).available, ledger.balance(account).held) == (9, 100)


def test_sixteen_callers_of_one_key_get_one_hold_and_one_charge(ledger, account, transaction):
    with transaction() as session:
        ledger.grant(session, account, amount=100, key="fund")

    def work(number):
        hold = ledger.hold(account, model="unit", estimate=Usage(input_tokens=10), key="work")
        return ledger.settle(hold.id, Usage(input_tokens=10 + number))

    answers = at_once(16, work)

    assert sum(not answer.replayed for answer in answers) == 1
    assert {100 - answer.charged for answer in answers} == {ledger.balance(account).available}


def test_a_month_that_begins_for_sixteen_callers_is_granted_once(ledger, account, transaction, clock):
    with transaction() as session:
        ledger.set_allowance(session, account, amount=50, anchor_at=START, key="plan")
    clock.advance(days=31)

    answers = at_once(16, lambda _: ledger.balance(account).available)

    assert answers == [50] * 16


def test_accounts_made_by_sixteen_callers_at_once_are_one(ledger, account, transaction):
    def give(number):
        with transaction() as session:
            return ledger.grant(session, account, amount=1, key=f"gift {number}").amount

    assert (at_once(16, give), ledger.balance(account).available) == ([1] * 16, 16)


def test_a_mix_of_everything_from_many_threads_balances(ledger, account, transaction):
    with transaction() as session:
        ledger.grant(session, account, amount=300, key="fund")

    def work(number):
        for turn in range(4):
            key = f"{number % 8} {turn}"
            with suppress(errors.InsufficientCredits):
                hold = ledger.hold(account, model="unit", estimate=Usage(input_tokens=7), key=key)
                if turn % 2:
                    ledger.release(hold.id)
                ledger.settle(hold.id, Usage(input_tokens=5 + turn))
            if turn == 3:
                with transaction() as session:
                    ledger.grant(session, account, amount=3, key=key)

    assert at_once(16, work) == [None] * 16
    ledger.verify(account)


@pytest.mark.parametrize("statement", ["UPDATE {} SET amount = 0", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["credits_entry", "credits_posting"])
def test_history_cannot_be_changed(ledger, account, transaction, engine, table, statement):
    with transaction() as session:
        ledger.grant(session, account, amount=1, key="k")

    with engine.connect() as connection, pytest.raises(DBAPIError, match=f"{table} is append-only"):
        connection.execute(text(statement.format(table)))


def test_history_cannot_be_truncated(postgres_engine):
    with postgres_engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text("TRUNCATE credits_posting, credits_entry"))


def test_a_refused_call_writes_nothing(ledger, account, engine):
    with pytest.raises(errors.InsufficientCredits):
        ledger.hold(account, model="unit", estimate=Usage(input_tokens=1), key="work")

    with engine.connect() as connection:
        known = connection.scalar(text("SELECT count(*) FROM credits_account WHERE account = :a"), {"a": account})
    assert known == 0


def test_a_sqlite_whose_host_begins_every_transaction_itself_serves_a_crowd(tmp_path, card):
    """The recipe of SQLAlchemy's manual: reads are transactions too, and a reader cannot become a writer after another wrote."""
    engine = create_engine(f"sqlite:///{tmp_path}/credits.db", connect_args={"timeout": 60})

    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(driver, _record):
        driver.isolation_level = None
        driver.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")

    schema.upgrade(engine)
    ledger = AiCredits(engine, rate_card=card)
    fund(ledger, engine, "a", 1000)

    def work(number):
        hold = ledger.hold("a", model="unit", estimate=Usage(input_tokens=10), key=f"work {number}")
        return ledger.settle(hold.id, Usage(input_tokens=5)).charged, ledger.balance("a").debt

    answers = at_once(16, work)
    proved = ledger.verify()
    engine.dispose()

    assert (answers, proved.entries) == ([(5, 0)] * 16, 17)
