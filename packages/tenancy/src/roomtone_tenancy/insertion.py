"""Insert a row unless one is there already, without an exception that would end the host's transaction.

A savepoint would do the same on PostgreSQL; on SQLite, sqlite3's own handling of transactions makes its release a commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute

from .models import CatalogRow

T = TypeVar("T")


def insert_if_absent(connection: Connection, row: type[CatalogRow], **values: Any) -> bool:  # values are the row's own columns
    """Whether it was inserted; False when any unique constraint has it already. Waits for another transaction's insert to end."""
    return connection.scalar(_unless_there(connection.dialect.name, row, None), values) is not None


def insert_absent(
    connection: Connection, row: type[CatalogRow], name: InstrumentedAttribute[T], rows: Sequence[Mapping[str, Any]]
) -> set[T]:
    """Insert many rows in their order; which names were absent. Otherwise as `insert_if_absent`."""
    if not rows:
        return set()
    return set(connection.execute(_unless_there(connection.dialect.name, row, name.key), rows).scalars())


def insert_into(dialect: str, row: type[CatalogRow]) -> Any:  # either dialect's: two unrelated classes
    """The dialect's own INSERT, for its `ON CONFLICT`."""
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(row)


@lru_cache(64)
def _unless_there(dialect: str, row: type[CatalogRow], returned: str | None) -> Any:
    """Made once for each table: to put a statement together takes longer than a database on this machine takes to run it."""
    return insert_into(dialect, row).on_conflict_do_nothing().returning(literal(1) if returned is None else row.__table__.c[returned])
