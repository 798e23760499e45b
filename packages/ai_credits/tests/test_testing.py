from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from roomtone_ai_credits import AiCredits, errors, schema
from roomtone_ai_credits.testing import FrozenClock, assert_books_balance, fund


@pytest.fixture
def own(card):
    """Books of their own, in memory."""
    engine = create_engine("sqlite://")
    schema.upgrade(engine)
    yield engine, AiCredits(engine, rate_card=card)
    engine.dispose()


def test_a_frozen_clock_moves_only_when_told():
    clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))

    times = [clock(), clock(), clock.advance(days=1, seconds=2), clock()]

    assert [at - times[0] for at in times] == [timedelta(), timedelta(), *[timedelta(days=1, seconds=2)] * 2]


def test_a_funded_account_can_spend(own):
    engine, ledger = own

    fund(ledger, engine, "a", 7)

    assert ledger.balance("a").available == 7


def test_books_that_do_not_balance_fail_the_test(own):
    engine, ledger = own
    fund(ledger, engine, "a", 7)
    assert assert_books_balance(ledger).entries == 1
    with engine.begin() as connection:
        connection.execute(text("UPDATE credits_lot SET remaining = 8"))

    with pytest.raises(errors.LedgerMismatch):
        assert_books_balance(ledger)
