"""An export has every row of every table that is the account's, and nobody else's."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import JSON, Boolean, DateTime, Integer, LargeBinary, String, Table, insert
from sqlalchemy.orm import Session

from roomtone_billing import holdings
from roomtone_billing.errors import UnknownAccount
from roomtone_billing.models import Instant, metadata

ABOUT = [table for table in metadata.sorted_tables if "account" in table.columns]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def filled(table: Table, account: str, number: int) -> dict[str, object]:
    """A row of any table, each value of its column's type; text says whose it is."""

    def value(column) -> object:
        kind = column.type.impl if isinstance(column.type, Instant) else column.type
        if column.name == "account":
            return account
        if isinstance(kind, Boolean):
            return False
        if isinstance(kind, DateTime):
            return NOW
        if isinstance(kind, JSON):
            return {"of": account}
        if isinstance(kind, LargeBinary):
            return json.dumps({"of": account}).encode()
        if isinstance(kind, Integer):
            return number
        assert isinstance(kind, String), f"{table.name}.{column.name} has a type this test does not know"
        return f"{account}{number}"[: kind.length]

    return {column.name: value(column) for column in table.columns}


@pytest.fixture
def crowded(host):
    """Two accounts with a row in every table that has an account."""
    with host.engine.begin() as connection:
        for table in ABOUT:
            for number, account in enumerate("ab", start=1):
                connection.execute(insert(table).values(filled(table, account, number)))
    return host


def test_every_table_with_an_account_is_exported_with_its_own_rows_only(crowded):
    lines = list(crowded.billing.account("a").export())
    rows = {line["table"]: line["row"] for line in lines[:-1]}

    assert set(rows) == {table.name for table in ABOUT}
    assert len(lines) == len(ABOUT) + 1
    assert {row["account"] for row in rows.values()} == {"a"}
    for table in ABOUT:
        assert set(rows[table.name]) == set(table.columns.keys())
    assert json.loads(json.dumps(lines)) == lines


def test_the_manifest_comes_last_and_counts_every_table(crowded):
    manifest = list(crowded.billing.account("a").export())[-1]["manifest"]

    assert set(manifest["rows"]) == set(metadata.tables)
    assert {name for name, count in manifest["rows"].items() if count} == {table.name for table in ABOUT}
    assert (manifest["format"], manifest["account"], manifest["customer_at_stripe"]) == (1, "a", "a1")


def test_a_table_that_nobody_has_spoken_for_is_an_error(engine, monkeypatch):
    stray = Table("billing_stray", type(metadata)())
    monkeypatch.setattr(holdings, "metadata", type("Tables", (), {"sorted_tables": [stray]}))
    with Session(engine) as session, pytest.raises(LookupError, match="billing_stray"):
        holdings.of(session, "a")


def test_events_of_stripe_and_which_handler_had_what_are_in_it(host):
    account, _ = host.subscribed(plan="pro")
    host.hear(host.billing._desk("a").known_customer(), 3)
    host.drain()
    lines = list(account.export())
    payloads = [line["row"]["payload"] for line in lines[:-1] if line["table"] == "billing_inbox"]

    assert [one["object"] for one in payloads] == ["event"] * 3
    assert {line["table"] for line in lines[:-1]} == {
        "billing_account",
        "billing_inbox",
        "billing_outbox",
        "billing_handled",
        "billing_history",
    }


def test_an_unknown_account_has_nothing_to_export(host):
    with pytest.raises(UnknownAccount):
        next(host.billing.account("nobody").export())


def test_all_lines_are_of_one_moment(host):
    account, subscription = host.subscribed(plan="pro")
    lines = account.export()
    first = next(lines)
    host.stripe.change_plan(subscription, plan="starter")
    if host.engine.dialect.name == "postgresql":
        account.sync()  # on SQLite a writer waits for the reader
        host.drain()
    rest = list(lines)

    assert first["table"] == "billing_account"
    assert [line["row"]["type"] for line in rest[:-1] if line["table"] == "billing_outbox"].count("PlanChanged") == 0
