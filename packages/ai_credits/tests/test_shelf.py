"""Books that a process keeps between two transactions: quick to go on with, and never believed when others were there meanwhile."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from roomtone_ai_credits import AiCredits, Usage, errors
from roomtone_ai_credits.books import Books
from roomtone_ai_credits.page import Needs, Page
from roomtone_ai_credits.shelf import AGE_MAX_NS, PENALTY_MAX, Shelf

ONE = Usage(input_tokens=1)


class Ticks:
    """A clock of the machine that stands still."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def process(engine, card, clock, ticks):
    """Makes the ledgers of several processes, whose shelves forget nothing while the test takes its time."""

    def make(**settings):
        made = AiCredits(engine, rate_card=card, clock=clock, **settings)
        made.ledger.shelf = Shelf(monotonic=ticks)
        return made

    return make


@pytest.fixture
def account(process):
    name = f"studio-{uuid.uuid4().hex}"
    yield name
    process().verify(name)


def charge(ledger, account, key, amount=1, **named):
    return ledger.charge(account, model="unit", usage=Usage(input_tokens=amount), key=key, **named)


def hold(ledger, account, key, amount=1, **named):
    return ledger.hold(account, model="unit", estimate=Usage(input_tokens=amount), key=key, **named)


def test_the_second_transaction_of_an_account_reads_nothing(postgres_engine, card, clock, ticks, account):
    ledger = AiCredits(postgres_engine, rate_card=card, clock=clock)
    ledger.ledger.shelf = Shelf(monotonic=ticks)
    ledger.grant(None, account, amount=10, key="fund")

    with Session(postgres_engine) as hosts, hosts.begin():
        # Whoever has to read waits for this, and is refused at last; who goes on waits for the row alone.
        hosts.execute(text("LOCK TABLE credits_allowance IN ACCESS EXCLUSIVE MODE"))
        charged = charge(ledger, account, "work").charged

    assert (charged, ledger.balance(account).available) == (1, 9)


def test_what_another_process_gave_is_there_to_be_spent(process, account):
    mine, other = process(), process()
    mine.grant(None, account, amount=10, key="fund")
    charge(mine, account, "all", 10)

    other.grant(None, account, amount=5, key="more")

    assert charge(mine, account, "rest", 5).charged == 5


def test_what_another_process_took_is_not_there_to_be_spent(process, account):
    mine, other = process(), process()
    mine.grant(None, account, amount=10, key="fund")
    charge(mine, account, "some", 4)

    charge(other, account, "most", 5)

    with pytest.raises(errors.InsufficientCredits) as refusal:
        charge(mine, account, "rest", 2)
    assert refusal.value.available == 1


def test_a_key_used_before_is_answered_as_it_was(process, account):
    ledger = process()
    ledger.grant(None, account, amount=10, key="fund")
    charge(ledger, account, "work", 4)
    charge(ledger, account, "more")

    again = charge(ledger, account, "work", 4)

    assert (again.charged, again.replayed, ledger.balance(account).available) == (4, True, 5)


def test_the_key_of_a_hold_that_was_released_is_not_for_a_charge(process, account):
    ledger = process()
    ledger.grant(None, account, amount=10, key="fund")
    ledger.release(hold(ledger, account, "work").id)
    charge(ledger, account, "other")

    with pytest.raises(errors.IdempotencyConflict):
        charge(ledger, account, "work")


def test_a_hold_is_settled_by_whichever_process_and_once(process, account):
    mine, other = process(), process()
    mine.grant(None, account, amount=10, key="fund")
    held = hold(mine, account, "work", 5)

    settled = [ledger.settle(held.id, Usage(input_tokens=used)) for ledger, used in ((other, 3), (mine, 4), (other, 5))]

    assert [(each.charged, each.replayed) for each in settled] == [(3, False), (3, True), (3, True)]


def test_a_hold_of_another_process_ends_in_its_time(process, account, clock):
    mine, other = process(), process()
    mine.grant(None, account, amount=10, key="fund")
    hold(other, account, "theirs", 8, ttl_s=60)
    charge(mine, account, "before")

    clock.advance(seconds=61)

    assert charge(mine, account, "after", 9).charged == 9


def test_a_hold_of_ones_own_ends_in_its_time(process, account, clock):
    ledger = process()
    ledger.grant(None, account, amount=10, key="fund")
    hold(ledger, account, "turn", 8, ttl_s=60)
    charge(ledger, account, "before")

    clock.advance(seconds=61)

    assert charge(ledger, account, "after", 9).charged == 9


def test_a_month_begins_on_kept_books(process, account, clock):
    ledger = process()
    ledger.set_allowance(None, account, amount=5, anchor_at=clock.now, key="plan")
    charge(ledger, account, "first month", 5)

    clock.advance(days=31)

    assert charge(ledger, account, "second month", 5).charged == 5


def test_what_a_host_rolls_back_was_never_on_the_shelf(process, account, engine):
    ledger = process()
    ledger.grant(None, account, amount=10, key="fund")

    with Session(engine) as hosts:
        ledger.grant(hosts, account, amount=90, key="gift")
        hosts.rollback()

    with pytest.raises(errors.InsufficientCredits):
        charge(ledger, account, "too much", 11)
    assert charge(ledger, account, "all", 10).charged == 10


def test_each_users_limit_is_known_whoever_was_served_before(process, account):
    ledger = process()
    ledger.grant(None, account, amount=100, key="fund")
    ledger.set_limit(None, account, "seat", amount=3, scope="user", key="limit")

    charged = [charge(ledger, account, f"{user} {turn}", user=user).charged for turn in range(3) for user in ("ada", "bob")]

    assert sum(charged) == 6
    for user in ("ada", "bob"):
        with pytest.raises(errors.LimitReached):
            charge(ledger, account, f"{user} more", user=user)


def test_a_limit_another_process_set_is_kept(process, account):
    mine, other = process(), process()
    mine.grant(None, account, amount=100, key="fund")
    charge(mine, account, "before")

    other.set_limit(None, account, "cap", amount=2, key="limit")

    charge(mine, account, "within", 2)
    with pytest.raises(errors.LimitReached):
        charge(mine, account, "beyond")


def test_a_repair_by_hand_is_what_is_gone_on_with(process, account, engine):
    ledger = process()
    ledger.grant(None, account, amount=10, key="fund")
    with engine.begin() as connection:
        which = {"account": account}
        connection.execute(text("UPDATE credits_lot SET remaining = 9 WHERE account_id = (SELECT id FROM credits_account "
                                "WHERE account = :account)"), which)  # fmt: skip
    with pytest.raises(errors.LedgerMismatch) as mismatch:
        ledger.verify(account)
    hold(ledger, account, "meanwhile")

    with engine.begin() as connection:
        for repair in mismatch.value.repairs:
            connection.exec_driver_sql(repair)

    assert charge(ledger, account, "after", 9).charged == 9


# ── The shelf itself ──────────────────────────────────────────────────────────


@pytest.fixture
def shelf(ticks):
    return Shelf(monotonic=ticks)


@pytest.fixture
def page(clock):
    return Page(Books(account="a", id=1, now=clock.now), due_at=None, subjects=frozenset([""]), now=clock.now)


def test_books_are_handed_to_one_at_a_time(shelf, page, clock):
    needs = Needs(account="a", now=clock.now)
    shelf.put(page, "7")

    first, second = shelf.take(needs), shelf.take(needs)

    assert (first.version, second) == ("7", None)


def test_books_are_kept_for_a_second(shelf, page, clock, ticks):
    shelf.put(page, "7")
    ticks.now += AGE_MAX_NS + 1

    assert shelf.take(Needs(account="a", now=clock.now)) is None


def test_a_hold_that_is_not_in_the_books_has_to_be_read(shelf, page, clock):
    shelf.put(page, "7")

    assert shelf.take(Needs(account="a", now=clock.now, hold_ids=["of another process"])) is None


def test_books_whose_other_holds_have_ended_have_to_be_read(shelf, page, clock):
    page.books.other_holds, page.books.other_holds_end_at = 1, clock.now + timedelta(seconds=5)
    shelf.put(page, "7")

    assert shelf.take(Needs(account="a", now=clock.now + timedelta(seconds=5))) is None


def test_the_more_was_planned_in_vain_the_less_is_tried(shelf, page, clock):
    needs, tried = Needs(account="a", now=clock.now), []
    for _ in range(200):
        shelf.put(page, "7")
        tried.append(shelf.take(needs) is not None)
        if tried[-1]:
            shelf.missed("a")

    assert tried[:8] == [True, False, True, False, False, False, True, False]
    assert sum(tried[-64:]) <= 64 // (PENALTY_MAX + 1) + 1


def test_one_hit_forgives_all_misses(shelf, page, clock):
    for _ in range(5):
        shelf.missed("a")
    shelf.hit("a")
    shelf.put(page, "7")

    assert shelf.take(Needs(account="a", now=clock.now)) is not None
