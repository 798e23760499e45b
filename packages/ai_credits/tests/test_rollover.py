"""What a month leaves unused, and goes over into the next."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_ai_credits import LotKind, Usage, grants
from roomtone_ai_credits.books import Books
from roomtone_ai_credits.entries import Book, Note
from roomtone_ai_credits.periods import Allowance
from roomtone_ai_credits.testing import FrozenClock

START = FrozenClock().now


@pytest.fixture
def month(ledger, account):
    def begin(**rule):
        ledger.set_allowance(None, account, amount=100, anchor_at=START, key="plan", **rule)

    return begin


def lots(ledger, account):
    return [(lot.kind.value, lot.remaining) for lot in ledger.balance(account).lots]


def use(ledger, account, tokens, key="work"):
    ledger.charge(account, model="unit", usage=Usage(input_tokens=tokens), key=key)


def test_nothing_goes_over_unless_a_rule_says_so(ledger, account, month, clock):
    month()

    clock.advance(days=31)

    assert lots(ledger, account) == [("allowance", 100)]


@pytest.mark.parametrize(("used", "over"), [(0, 40), (70, 30), (100, 0)])
def test_what_is_left_goes_over_up_to_a_cap_and_is_burnt_first(ledger, account, month, clock, used, over):
    month(rollover_max=40)
    if used:
        use(ledger, account, used)

    clock.advance(days=31)

    expected = [("rollover", over)] if over else []
    assert lots(ledger, account) == [*expected, ("allowance", 100)]


def test_a_part_goes_over(ledger, account, month, clock):
    month(rollover_max=1000, rollover_percent=25)

    clock.advance(days=31)

    assert lots(ledger, account) == [("rollover", 25), ("allowance", 100)]


def test_what_went_over_dies_after_its_months_and_does_not_go_over_again(ledger, account, month, clock):
    month(rollover_max=1000, rollover_months=2)
    clock.advance(days=31)  # February
    use(ledger, account, 100, "february")
    clock.advance(days=28)  # March
    march = lots(ledger, account)
    clock.advance(days=31)  # April

    assert march == [("rollover", 100), ("allowance", 100)]
    assert lots(ledger, account) == [("allowance", 100), ("rollover", 100)]  # January's is gone, March's went over


def test_the_cap_is_for_all_that_is_alive_at_once(ledger, account, month, clock):
    month(rollover_max=130, rollover_months=12)

    clock.advance(days=31 + 28 + 31)

    assert lots(ledger, account) == [("allowance", 100), ("rollover", 100), ("rollover", 30)]


def test_packs_and_promotions_are_left_alone(ledger, account, month, clock):
    month(rollover_max=10)
    ledger.grant(None, account, amount=500, key="pack", kind="pack")
    ledger.grant(None, account, amount=7, key="promo", expires_at=START + timedelta(days=31))

    clock.advance(days=31)

    assert lots(ledger, account) == [("rollover", 10), ("allowance", 100), ("pack", 500)]


def test_nothing_goes_over_where_the_allowance_ends(ledger, account, month, clock):
    month(rollover_max=100, ends_at=START.replace(month=2))

    clock.advance(days=31)

    assert lots(ledger, account) == []


def test_an_upgrade_in_the_month_lets_what_is_left_of_both_go_over(ledger, account, month, clock):
    month(rollover_max=1000)
    use(ledger, account, 30)
    ledger.set_allowance(None, account, amount=500, anchor_at=START, key="upgrade", rollover_max=1000)

    clock.advance(days=31)

    assert ledger.balance(account).available == 470 + 500


def test_what_a_hold_gives_back_after_the_month_goes_over_too(ledger, account, month, clock):
    month(rollover_max=1000)
    clock.advance(days=30)
    hold = ledger.hold(account, model="unit", estimate=Usage(input_tokens=60), key="turn", ttl_s=86400 * 3)
    clock.advance(days=1)

    ledger.settle(hold.id, Usage(input_tokens=20))

    assert ledger.balance(account).available == 80 + 100


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(1, 40)), min_size=1, max_size=14), st.integers(0, 300), st.integers(0, 100))
def test_what_was_there_is_what_went_over_and_what_expired(steps, cap, percent):
    books = Books(account="a", now=START)
    rule = Allowance(rule="plan", amount=100, anchor_at=START, rollover_max=cap, rollover_percent=percent, rollover_months=3)
    grants.set_allowance(books, rule, key="start", note=Note())
    for number, (amount, days) in enumerate(steps):
        grants.adjust(books, amount=-min(amount, books.available) or 1, key=f"use {number}", note=Note())
        books.mature(books.now + timedelta(days=days))

        alive = sum(lot.remaining for lot in books.live_lots() if lot.kind is LotKind.rollover)
        assert alive <= cap
    moved = sum(side.amount for entry in books.entries for side in entry.postings)
    expired = sum(side.amount for entry in books.entries for side in entry.postings if side.book is Book.expired)
    issued = -sum(side.amount for entry in books.entries for side in entry.postings if side.book is Book.issued)
    adjusted = sum(side.amount for entry in books.entries for side in entry.postings if side.book is Book.adjusted)
    assert (moved, issued - expired - adjusted) == (0, books.balance)
