import uuid

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from roomtone_ai_credits import AiCredits, Usage, Verification, errors, schema

MINE = "(SELECT id FROM credits_account WHERE account = :account)"
TAMPERINGS = {
    "balance is kept": "UPDATE credits_account SET balance = balance + 1 WHERE account = :account",
    "debt is kept": "UPDATE credits_account SET debt = debt + 1 WHERE account = :account",
    "held is kept": "UPDATE credits_account SET held = held + 1 WHERE account = :account",
    "seq is kept": "UPDATE credits_account SET seq = seq + 1 WHERE account = :account",
    "lot_count is kept": "UPDATE credits_account SET lot_count = lot_count + 1 WHERE account = :account",
    "keeps 96": f"UPDATE credits_lot SET remaining = remaining + 1 WHERE account_id = {MINE}",
    "carry_nano is kept": "UPDATE credits_account SET carry_nano = carry_nano + 1 WHERE account = :account",
    "open: False": f"UPDATE credits_lot SET is_open = (1 = 0) WHERE account_id = {MINE}",
    "holds 10 more": f"UPDATE credits_hold SET state = 'released' WHERE state = 'open' AND account_id = {MINE}",
    "is for 11": f"UPDATE credits_hold SET amount = 11 WHERE state = 'open' AND account_id = {MINE}",
    "was charged 4": f"UPDATE credits_hold SET charged = 4 WHERE state = 'settled' AND account_id = {MINE}",
    "was charged None": f"UPDATE credits_hold SET state = 'released' WHERE state = 'settled' AND account_id = {MINE}",
    "entry 9 is number 3": "INSERT INTO credits_entry (account_id, seq, key, kind, at, amount, balance_after, digest)"
    " SELECT id, 9, 'forged', 'grant', matured_at, 5, 100, '' FROM credits_account WHERE account = :account",
    "sum to 5": "INSERT INTO credits_posting (account_id, seq, side, book, lot, amount)"
    " SELECT id, 1, 9, 'issued', NULL, 5 FROM credits_account WHERE account = :account",
}


@pytest.fixture
def books(ledger, transaction):
    """An account with a grant, a charge and an open hold."""
    account = uuid.uuid4().hex
    with transaction() as session:
        ledger.grant(session, account, amount=100, key="k")
    ledger.settle(ledger.hold(account, model="unit", estimate=Usage(input_tokens=5), key="done").id, Usage(input_tokens=5))
    # So long that no other test's sweep meets the forged books.
    ledger.hold(account, model="unit", estimate=Usage(input_tokens=10), key="open", ttl_s=1_000_000_000)
    return account


def test_books_that_balance_are_counted(ledger, books):
    assert ledger.verify(books) == Verification(accounts=1, entries=2)


@pytest.mark.parametrize(("sign", "tampering"), TAMPERINGS.items(), ids=TAMPERINGS)
def test_what_does_not_add_up_is_named(ledger, books, engine, sign, tampering):
    with engine.begin() as connection:
        connection.execute(text(tampering), {"account": books})

    with pytest.raises(errors.LedgerMismatch) as mismatch:
        ledger.verify(books)

    assert any(sign in finding and repr(books) in finding for finding in mismatch.value.findings), mismatch.value.findings


@pytest.mark.parametrize("sign", [sign for sign in TAMPERINGS if sign not in {"entry 9 is number 3", "sum to 5"}])
def test_the_repair_plan_makes_the_books_balance_again(ledger, books, engine, sign):
    with engine.begin() as connection:
        connection.execute(text(TAMPERINGS[sign]), {"account": books})
    with pytest.raises(errors.LedgerMismatch) as mismatch:
        ledger.verify(books)

    with engine.begin() as connection:
        for repair in mismatch.value.repairs:
            connection.exec_driver_sql(repair)

    assert ledger.verify(books).entries == 2


@pytest.mark.parametrize("sign", ["entry 9 is number 3", "sum to 5"])
def test_history_is_never_repaired(ledger, books, engine, sign):
    with engine.begin() as connection:
        connection.execute(text(TAMPERINGS[sign]), {"account": books})

    with pytest.raises(errors.LedgerMismatch) as mismatch:
        ledger.verify(books)

    assert not any("credits_entry" in repair or "credits_posting" in repair for repair in mismatch.value.repairs)


TALLIES = {
    "tally 'seat:ada' keeps (11, 5)": f"UPDATE credits_tally SET held = 11 WHERE account_id = {MINE}",
    "tally 'seat:ada' keeps (10, 6)": f"UPDATE credits_tally SET before = 1 WHERE account_id = {MINE}",
    "which is kept nowhere": f"DELETE FROM credits_tally WHERE account_id = {MINE}",
}


@pytest.mark.parametrize(("sign", "tampering"), TALLIES.items(), ids=TALLIES)
def test_what_a_limit_counts_is_proved(ledger, engine, sign, tampering):
    account = uuid.uuid4().hex
    ledger.grant(None, account, amount=100, key="k")
    ledger.set_limit(None, account, "seat", scope="user", amount=90, key="limit")
    ledger.charge(account, model="unit", usage=Usage(input_tokens=5), key="done", user="ada")
    ledger.hold(account, model="unit", estimate=Usage(input_tokens=10), key="open", user="ada", ttl_s=1_000_000_000)
    ledger.verify(account)
    with engine.begin() as connection:
        connection.execute(text(tampering), {"account": account})

    with pytest.raises(errors.LedgerMismatch) as mismatch:
        ledger.verify(account)

    assert any(sign in finding for finding in mismatch.value.findings), mismatch.value.findings


def test_credit_that_left_an_account_and_arrived_nowhere_is_noticed(card):
    engine = create_engine("sqlite://")
    schema.upgrade(engine)
    ledger = AiCredits(engine, rate_card=card)
    ledger.grant(None, "a", amount=100, key="k")
    ledger.carry_out(ledger.verbs.transfer_out("a", amount=30, key="half", reason="r", actor="a"))

    with pytest.raises(errors.LedgerMismatch) as mismatch:
        ledger.verify()

    engine.dispose()
    assert "30 more left accounts by transfers than came into others" in str(mismatch.value)


def test_history_of_an_account_that_is_gone_is_noticed(card):
    engine = create_engine("sqlite://")
    schema.upgrade(engine)
    ledger = AiCredits(engine, rate_card=card)
    ledger.grant(None, "a", amount=100, key="k")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM credits_account"))

    with pytest.raises(errors.LedgerMismatch) as mismatch:
        ledger.verify()

    engine.dispose()
    assert "account 'number 1': credits_entry has rows of it, but there is no such account" in mismatch.value.findings


def test_an_account_cannot_be_deleted(postgres_engine, card):
    AiCredits(postgres_engine, rate_card=card).grant(None, "stays", amount=1, key="k")

    with pytest.raises(DBAPIError, match="append-only"), postgres_engine.begin() as connection:
        connection.execute(text("DELETE FROM credits_account WHERE account = 'stays'"))
