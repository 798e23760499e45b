"""The pure books: how late or how often time is caught up must not matter."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roomtone_ai_credits import Hold, ModelRate, Usage, grants, lots, reservation
from roomtone_ai_credits.books import Books
from roomtone_ai_credits.entries import Note
from roomtone_ai_credits.lots import Lot, LotKind
from roomtone_ai_credits.periods import Allowance

START = datetime(2026, 1, 31, tzinfo=UTC)

acts = st.one_of(
    st.tuples(st.just("grant"), st.integers(1, 30), st.none() | st.integers(1, 40)),
    st.tuples(st.just("month"), st.integers(0, 30), st.integers(0, 20)),
    st.tuples(st.just("hold"), st.integers(0, 30), st.integers(1, 40)),
    st.tuples(st.just("work"), st.integers(0, 60), st.integers(0, 10)),
)


def make(acts):
    books = Books(account="a", now=START)
    for number, (verb, amount, days) in enumerate(acts):
        key, note = f"{verb} {number}", Note()
        if verb == "grant":
            ends = START + timedelta(days=days) if days else None
            lot = Lot(kind=LotKind.promotion, priority=10, granted=amount, granted_at=START, expires_at=ends)
            grants.grant(books, lot, key=key, note=note)
        elif verb == "month":
            anchor = START - timedelta(days=days)
            grants.set_allowance(books, Allowance(rule="plan", amount=amount, anchor_at=anchor), key=key, note=note)
        elif verb == "hold" and amount <= books.available:
            reserve(books, hold(key, amount), days)
        elif verb == "work":
            reservation.settle(books, reserve(books, hold(key, 0), 1), amount * 1000, note)
    return books


def hold(key, amount):
    facts = {"account": "a", "digest": "", "rate": ModelRate(pattern="*"), "card_version": "1", "estimate": Usage(), "model": "unit"}
    return Hold(id=key, key=key, amount=amount, held_at=START, expires_at=START, **facts)


def reserve(books, draft, days):
    return reservation.reserve(books, draft, draft.id, timedelta(days=days), open_holds_max=99)


@given(st.lists(acts, max_size=8), st.lists(st.integers(0, 100), max_size=6))
def test_the_books_are_the_same_however_often_they_are_caught_up(acts, visits):
    often, once = make(acts), make(acts)
    for day in sorted(visits):
        often.mature(START + timedelta(days=day))

    often.mature(START + timedelta(days=100))
    once.mature(START + timedelta(days=100))

    assert often.entries == once.entries
    assert (often.lots, often.holds, often.allowances, often.debt) == (once.lots, once.holds, once.allowances, once.debt)


@given(st.lists(acts, max_size=12))
def test_every_entry_sums_to_zero_and_all_of_them_to_the_balance(acts):
    books = make(acts)
    books.mature(START + timedelta(days=50))

    assert all(sum(posting.amount for posting in entry.postings) == 0 for entry in books.entries)
    assert sum(entry.amount for entry in books.entries) == books.balance


@given(st.lists(acts, max_size=12))
def test_there_is_debt_only_while_nothing_is_free(acts):
    books = make(acts)

    assert books.debt >= 0
    assert not books.debt or not any(lot.free for lot in books.live_lots())


@given(st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(1, 9)), max_size=6), st.integers(0, 100))
def test_credit_is_taken_up_to_the_amount_and_soonest_to_expire_first(given_lots, amount):
    stock = [
        Lot(
            number=n,
            kind=LotKind.promotion,
            granted=left,
            remaining=left,
            granted_at=START,
            expires_at=START + timedelta(days=days) if days else None,
        )
        for n, (left, days) in enumerate(given_lots)
    ]

    taken = lots.take(sorted(stock, key=Lot.burn_order), amount)

    assert sum(taken.values()) == min(amount, sum(lot.remaining for lot in stock))
    used_up = [taken.get(lot.number, 0) == lot.remaining for lot in sorted(stock, key=Lot.burn_order) if lot.remaining]
    assert used_up == sorted(used_up, reverse=True)
