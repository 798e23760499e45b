"""What exports are read from and imports written to: one module for each kind of server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ...provisioners import Place
from ...server import Server
from .values import Column, meaning

Row = Sequence[Any]
"""JSON values, one for each column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table.

    Args:
        name: with its schema before a dot, unless that is the one that tables are in by default.
    """

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counter:
    """Where the numbers of a table's rows have got to.

    Args:
        table, column: whose numbers they are; None where a sequence belongs to no column.
        name: the sequence's, as `Table.name`; None on SQLite.
        last: the last number, given out or, when not `is_used`, to be given out next.
    """

    table: str | None
    column: str | None
    name: str | None
    last: int
    is_used: bool


class Reading(Protocol):
    """A database at one moment.

    Attributes:
        tables: all of them but the stamp and Alembic's, by name.
    """

    tenant_id: str | None
    revision: str | None
    tables: tuple[Table, ...]
    counters: tuple[Counter, ...]

    def rows(self, table: Table) -> Iterator[Row]:
        """All rows, a few at a time in memory."""


class Filling(Protocol):
    """One transaction that puts other rows in the place of all that there are."""

    tables: tuple[Table, ...]

    def clear(self) -> None:
        """Remove every row; what depends on others waits until the end."""

    def insert(self, table: Table, given: Table, rows: Iterable[Row]) -> None:
        """Add rows of a table that was exported, perhaps by the other kind of server.

        Raises:
            ValueError, or what the driver says: a value does not fit.
        """

    def count_on(self, counters: Sequence[Counter]) -> None:
        """Let new rows have new numbers."""

    def finish(self) -> None:
        """Check what depends on others, and commit."""


class Books(Protocol):
    """The tables of one server's databases."""

    dialect: str

    def reading(self, place: Place) -> AbstractContextManager[Reading]:
        """The database as it is now, while others write on.

        Raises:
            NotPortable: it holds what no export can.
        """

    def filling(self, place: Place) -> AbstractContextManager[Filling]:
        """Its rows are to be replaced; nothing is, when the block ends without `finish`."""

    def blank(self, place: Place) -> None:
        """Have what `Copier.prepare` made there, without any table."""


def books_for(server: Server) -> Books:
    """The module for the server's kind."""
    if server.is_sqlite:
        from .sqlite import SqliteBooks

        return SqliteBooks(server)
    from .postgresql import PostgresBooks

    return PostgresBooks(server)


class Digest:
    """A sum over rows in any order, of what the two tables that they are in can both say."""

    def __init__(self, given: Table, found: Table) -> None:
        kinds: Mapping[str, str] = {column.name: column.kind for column in found.columns}
        self._meanings = [meaning(column.kind, kinds[column.name]) for column in given.columns]
        self.rows, self._sum = 0, 0

    def add(self, row: Row) -> Row:
        """Count the row, and return it."""
        plain = [None if value is None else say(value) for say, value in zip(self._meanings, row, strict=True)]
        self.rows += 1
        self._sum += int.from_bytes(hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=16).digest())
        return row

    def value(self) -> list[Any]:  # as JSON has it
        """Rows and sum."""
        return [self.rows, f"{self._sum % (1 << 128):032x}"]
