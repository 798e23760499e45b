"""A worker that dies at its n-th statement, for every n, loses nothing and does nothing twice."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from roomtone_billing import Phase, SubscriptionStarted


class Died(BaseException):
    """As a kill does, it passes every `except Exception`."""


@contextmanager
def dying_at(engine, statement: int):
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            raise Died

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


@pytest.fixture
def granted(host):
    """Effects in a table of the host's own; the account's name is counted."""
    with host.engine.begin() as connection:
        connection.execute(text("CREATE TABLE granted (account TEXT)"))

    @host.billing.on(SubscriptionStarted, name="grant")
    def grant(session, started):
        session.execute(text("INSERT INTO granted VALUES (:account)"), {"account": started.account})

    yield lambda: _count(host.engine)
    with host.engine.begin() as connection:
        connection.execute(text("DROP TABLE granted"))


def _count(engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text("SELECT account, count(*) FROM granted GROUP BY account"))}


def test_dying_at_any_statement_loses_nothing_and_does_nothing_twice(host, granted):
    accounts, statement, has_died = [], 0, True
    while has_died:
        statement += 1
        assert statement < 200
        account = f"a{statement:03}"
        accounts.append(account)
        customer = host.customer(account)
        host.drain()
        host.stripe.subscribe(customer, plan="pro")
        host.hear(customer)
        try:
            with dying_at(host.engine, statement):
                host.drain()
        except Died:
            host.clock.move(minutes=2)
            host.drain()
        else:
            has_died = False

    assert statement > 15
    assert granted() == dict.fromkeys(accounts, 1)
    assert {host.billing.account(account).access().phase for account in accounts} == {Phase.active}
    assert {view.state for view in host.billing.inbox(limit=500)} == {"done"}
