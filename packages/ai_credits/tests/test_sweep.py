from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from roomtone_ai_credits import AiCredits, Usage, schema
from roomtone_ai_credits.testing import fund


def test_a_sweep_books_what_time_has_made_true(ledger, account, transaction, clock, engine):
    with transaction() as session:
        ledger.grant(session, account, amount=10, key="dies", expires_at=clock.now + timedelta(days=1))
        ledger.grant(session, account, amount=20, key="stays")
    ledger.hold(account, model="unit", estimate=Usage(input_tokens=10), key="abandoned")
    clock.advance(days=1)

    ledger.sweep()

    with engine.connect() as connection:
        booked = connection.execute(
            text("SELECT balance, held, next_change_at FROM credits_account WHERE account = :a"), {"a": account}
        ).one()
    assert tuple(booked) == (20, 0, None)


def test_a_second_sweep_finds_nothing_to_do(ledger, account, transaction, clock):
    with transaction() as session:
        ledger.set_allowance(session, account, amount=10, anchor_at=clock.now, key="plan")
    clock.advance(days=400)

    swept = [ledger.sweep(), ledger.sweep()]

    assert swept[0] >= 1
    assert swept[1] == 0


def test_broken_books_of_one_account_do_not_hold_up_the_others(tmp_path, card, clock):
    engine = create_engine(f"sqlite:///{tmp_path}/credits.db")
    schema.upgrade(engine)
    own = AiCredits(engine, rate_card=card, clock=clock)
    for name in ("broken", "sound"):
        fund(own, engine, name, 10)
        own.hold(name, model="unit", estimate=Usage(input_tokens=10), key="abandoned")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE credits_lot SET is_open = 0 WHERE account_id = (SELECT id FROM credits_account WHERE account = 'broken')")
        )
    clock.advance(days=1)

    with pytest.raises(ExceptionGroup, match="1 of 2 accounts"):
        own.sweep()

    with engine.connect() as connection:
        held = connection.execute(text("SELECT account, held FROM credits_account ORDER BY account")).all()
    engine.dispose()
    assert [tuple(row) for row in held] == [("broken", 10), ("sound", 0)]
