"""Transactions of our own: short, and writing from their first statement on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

Clock = Callable[[], datetime]


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that commits at the end of the block, or rolls back when it raises.

    Effects:
        On SQLite takes the write lock at once: a transaction that reads first and writes later fails there under concurrency, however
        long it may wait.
    """
    with Session(engine, expire_on_commit=False) as session, session.begin():
        connection = session.connection()
        if connection.dialect.name == "sqlite" and not getattr(connection.connection.dbapi_connection, "in_transaction", True):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield session


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how long apart something that failed is tried again, before it is put aside for a person.

    Args:
        attempts_max: tries in all, >= 1.
        first_delay_s: seconds before the second try; doubles each time.
        delay_s_max: the longest wait.
    """

    attempts_max: int = 12
    first_delay_s: int = 5
    delay_s_max: int = 3600

    def after(self, attempts: int, now: datetime) -> datetime | None:
        """When to try again after that many failures; None when enough is enough."""
        if attempts >= self.attempts_max:
            return None
        return now + timedelta(seconds=min(self.first_delay_s * 2 ** (attempts - 1), self.delay_s_max))
