"""Insert a row unless one is there already, without an exception that would end the host's transaction.

A savepoint would do the same on PostgreSQL; on SQLite, sqlite3's own handling of transactions makes its release a commit.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, literal
from sqlalchemy.dialects import postgresql, sqlite

from .models import CatalogRow


def insert_if_absent(connection: Connection, row: type[CatalogRow], **values: Any) -> bool:  # values are the row's own columns
    """Whether it was inserted; False when any unique constraint has it already. Waits for another transaction's insert to end."""
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert  # two unrelated classes
    return connection.scalar(insert(row.__table__).values(values).on_conflict_do_nothing().returning(literal(1))) is not None
