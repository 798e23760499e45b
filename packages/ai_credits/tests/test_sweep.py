from datetime import timedelta

from sqlalchemy import text

from roomtone_ai_credits import Usage


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
