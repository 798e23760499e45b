"""What went wrong in other ledgers, each as a test of its own. More of them are where the thing they are about is tested."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomtone_ai_credits import EntryKind, Usage, errors, grants
from roomtone_ai_credits.acts import Act, carry_out
from roomtone_ai_credits.books import Books
from roomtone_ai_credits.entries import Note
from roomtone_ai_credits.periods import Allowance

PARIS = ZoneInfo("Europe/Paris")


@settings(max_examples=10, deadline=None)
@given(day=st.integers(28, 31), hour=st.sampled_from([0, 2, 3, 23]), steps=st.lists(st.integers(1, 70), min_size=60, max_size=60))
def test_ten_years_of_months_are_granted_once_each_on_their_day(day, hour, steps):
    """A gate of thirty days skips February, and counting from the due date drifts: here every month counts from the anchor."""
    anchor = datetime(2026, 1, day, hour, 30, tzinfo=PARIS).astimezone(UTC)
    books = Books(account="a", now=anchor)
    wanted = Allowance(rule="plan", amount=50, anchor_at=anchor, timezone="Europe/Paris")
    grants.set_allowance(books, wanted, key="start", note=Note())

    for number, days in enumerate(steps):
        books.mature(books.now + timedelta(days=days))
        # A renewal that is delivered late, early and twice is one renewal.
        grants.set_allowance(books, wanted, key=f"renewed {number}", note=Note())
        grants.set_allowance(books, wanted, key=f"renewed {number} again", note=Note())
    books.mature(datetime(2036, 1, 27, tzinfo=UTC))

    given_at = [entry.at for entry in books.entries if entry.kind is EntryKind.grant]
    months = [(2026 + n // 12, n % 12 + 1) for n in range(120)]
    due = [datetime(y, m, min(day, monthrange(y, m)[1]), hour, 30, tzinfo=PARIS).astimezone(UTC) for y, m in months]
    assert given_at == [at for at in due if at <= books.now]
    assert books.available == 50


def test_equal_keys_in_one_batch_are_one_effect(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    acts = [ledger.verbs.charge(account, model="unit", usage=Usage(input_tokens=30), key="same") for _ in range(3)]
    acts += [ledger.verbs.hold(account, model="unit", estimate=Usage(input_tokens=30), key="hold") for _ in range(2)]

    charges = [outcome.get() for outcome in ledger.ledger.transact(account, acts)]

    assert [charge.replayed for charge in charges[:3]] == [False, True, True]
    assert charges[3].id == charges[4].id
    assert (ledger.balance(account).available, ledger.balance(account).held) == (40, 30)


def test_a_key_used_for_two_things_in_one_batch_is_a_conflict_for_the_second_alone(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    acts = [ledger.verbs.charge(account, model="unit", usage=Usage(input_tokens=n), key="same") for n in (30, 31)]
    acts.append(ledger.verbs.charge(account, model="unit", usage=Usage(input_tokens=5), key="other"))

    first, second, third = ledger.ledger.transact(account, acts)

    assert (first.get().charged, third.get().charged) == (30, 5)
    with pytest.raises(errors.IdempotencyConflict):
        second.get()


def test_a_plan_that_fails_half_way_leaves_nothing_in_its_batch(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    charge = ledger.verbs.charge(account, model="unit", usage=Usage(input_tokens=30), key="good")

    def half(books):
        books.price(123_456)
        grants.adjust(books, amount=-50, key="half", note=Note())
        raise ZeroDivisionError

    good, bad = ledger.ledger.transact(account, [Act(plan=half, account=account), charge])[::-1]

    assert (good.get().charged, type(bad.problem)) == (30, ZeroDivisionError)
    assert ledger.balance(account).available == 70


def test_a_batch_takes_no_more_than_there_is_and_refuses_by_what_is_left(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    acts = [ledger.verbs.charge(account, model="unit", usage=Usage(input_tokens=30), key=f"work {n}") for n in range(5)]

    outcomes = ledger.ledger.transact(account, acts)

    assert [outcome.problem is None for outcome in outcomes] == [True, True, True, False, False]
    assert {outcome.problem.available for outcome in outcomes[3:]} == {10}


@given(st.lists(st.integers(-60, 60).filter(bool), max_size=12))
def test_refused_plans_leave_the_books_as_they_were(amounts):
    books = Books(account="a", now=datetime(2026, 1, 1, tzinfo=UTC))
    left = 0
    for number, amount in enumerate(amounts):
        before = books.mark()
        act = Act(plan=lambda books, n=number, a=amount: grants.adjust(books, amount=a, key=f"k{n}", note=Note()))
        (outcome,) = carry_out(books, [act])
        if outcome.problem is None:
            left += amount
        else:
            assert books.mark() == before
        assert books.available == left >= 0
