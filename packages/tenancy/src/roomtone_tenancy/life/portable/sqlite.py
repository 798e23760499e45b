"""SQLite's side of exports: one read transaction out, one write transaction in, values as the file keeps them."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from ...provisioners import Place
from ...provisioners.sqlite import SqliteProvisioner
from ...provisioners.sqlite_files import file_of
from ...server import Server
from ..contents import BESIDE_THE_DATA
from ..errors import NotPortable
from .tables import Counter, Row, Table
from .values import Column, decode_bytes, encode_bytes, moment_parts

BUSY_WAIT_S = 30.0
INTEGER_MAX = (1 << 63) - 1
# What a declared type's name says, the first that fits; SQLite's own rules look at parts of names too.
_DECLARED = (
    ("BOOL", "boolean"), ("INTERVAL", "other"), ("INT", "integer"), ("DATETIME", "datetime"), ("TIMESTAMP", "datetime"), ("DATE", "date"),
    ("TIME", "time"), ("JSON", "json"), ("CHAR", "text"), ("CLOB", "text"), ("TEXT", "text"), ("BLOB", "bytes"), ("BINARY", "bytes"),
    ("REAL", "float"), ("FLOA", "float"), ("DOUB", "float"), ("NUMERIC", "decimal"), ("DECIMAL", "decimal"),
)  # fmt: skip
_UUID = "CHAR(32)"  # as SQLAlchemy declares one here: without hyphens
_STORAGES = {int: "integer", float: "real", str: "text", bytes: "blob"}


@dataclass(frozen=True)
class SqliteBooks:
    """See `Books`."""

    server: Server
    dialect = "sqlite"

    @contextmanager
    def reading(self, place: Place) -> Iterator[_Reading]:
        """See `Books.reading`."""
        with closing(self._open(place, "ro")) as connection:
            connection.execute("BEGIN")
            yield _Reading(connection)

    @contextmanager
    def filling(self, place: Place) -> Iterator[_Filling]:
        """See `Books.filling`."""
        with closing(self._open(place, "rw")) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("BEGIN IMMEDIATE")
            yield _Filling(connection)

    def blank(self, place: Place) -> None:
        """See `Books.blank`."""
        file_of(SqliteProvisioner(self.server).folder, place.database).touch(mode=0o600)
        with closing(self._open(place, "rw")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

    def _open(self, place: Place, mode: str) -> sqlite3.Connection:
        path = file_of(SqliteProvisioner(self.server).folder, place.database)
        return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY_WAIT_S, isolation_level=None)


class _Reading:
    """See `Reading`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tables = _tables(connection)
        self.tenant_id, self.revision = (
            _first(connection, *fact) for fact in (("tenancy_stamp", "tenant_id"), ("alembic_version", "version_num"))
        )
        self.counters = tuple(_counters(connection))

    def rows(self, table: Table) -> Iterator[Row]:
        """See `Reading.rows`."""
        names = ", ".join(_quoted(column.name) for column in table.columns)
        for row in self._connection.execute(f"SELECT {names} FROM {_quoted(table.name)}"):  # noqa: S608 -- quoted
            yield [_encoded(column.kind, value) for column, value in zip(table.columns, row, strict=True)]


class _Filling:
    """See `Filling`. Triggers are dropped and made again at the end; references are looked at then."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid").fetchall()
        self.tables = _tables(connection)

    def clear(self) -> None:
        """See `Filling.clear`."""
        for name, _ in self._triggers:
            self._connection.execute(f"DROP TRIGGER {_quoted(name)}")
        for table in self.tables:
            self._connection.execute(f"DELETE FROM {_quoted(table.name)}")  # noqa: S608 -- quoted

    def insert(self, table: Table, given: Table, rows: Iterable[Row]) -> None:
        """See `Filling.insert`."""
        kinds = {column.name: column for column in table.columns}
        pairs = [(column.kind, kinds[column.name]) for column in given.columns]
        names, marks = ", ".join(_quoted(column.name) for column in given.columns), ", ".join("?" * len(pairs))
        statement = f"INSERT INTO {_quoted(table.name)} ({names}) VALUES ({marks})"  # noqa: S608 -- quoted
        decoded = ([_decoded(kind, column, value) for (kind, column), value in zip(pairs, row, strict=True)] for row in rows)
        self._connection.executemany(statement, decoded)

    def count_on(self, counters: Sequence[Counter]) -> None:
        """See `Filling.count_on`. Only a table with AUTOINCREMENT counts; any other goes on after its largest number by itself."""
        if not _has_counters(self._connection):
            return
        for counter in counters:
            if counter.table is None or not counter.is_used:
                continue
            if not any(table.name == counter.table for table in self.tables) or not _counts(self._connection, counter.table):
                continue
            found = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [counter.table]).fetchone()
            if found is None:
                self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [counter.table, counter.last])
            elif found[0] < counter.last:
                self._connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", [counter.last, counter.table])

    def finish(self) -> None:
        """See `Filling.finish`."""
        if (broken := self._connection.execute("PRAGMA foreign_key_check").fetchone()) is not None:
            raise ValueError(f"a row of {broken[0]!r} refers to one of {broken[2]!r} that is not there")
        for _, statement in self._triggers:
            self._connection.execute(statement)
        self._connection.execute("COMMIT")


def _tables(connection: sqlite3.Connection) -> tuple[Table, ...]:
    found: list[Table] = []
    for name, kind in connection.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name").fetchall():
        if kind == "virtual":
            raise NotPortable(name, "it is a virtual table, which only a backup holds")
        if kind == "table" and not name.startswith("sqlite_") and name not in BESIDE_THE_DATA | {"alembic_version"}:
            columns = connection.execute("SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid", [name]).fetchall()
            found.append(
                Table(name=name, columns=tuple(Column(name=each, kind=_kind(declared), declared=declared) for each, declared in columns))
            )
    return tuple(found)


def _kind(declared: str) -> str:
    if not declared:
        return "bytes"
    return next((kind for part, kind in _DECLARED if part in declared.upper()), "other")


def _first(connection: sqlite3.Connection, table: str, column: str) -> str | None:
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", [table]).fetchone() is None:
        return None
    row = connection.execute(f"SELECT {column} FROM {table}").fetchone()  # noqa: S608 -- ours
    return None if row is None else str(row[0])


def _has_counters(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone() is not None


def _counts(connection: sqlite3.Connection, table: str) -> bool:
    row = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", [table]).fetchone()
    return row is not None and "AUTOINCREMENT" in str(row[0]).upper()


def _counters(connection: sqlite3.Connection) -> Iterator[Counter]:
    if _has_counters(connection):
        for name, last in connection.execute("SELECT name, seq FROM sqlite_sequence ORDER BY name"):
            yield Counter(table=name, column=None, name=None, last=last, is_used=True)


def _encoded(kind: str, value: Any) -> Any:  # noqa: PLR0911 -- one for each kind
    """The value; an object where it is not stored as its column's kind is."""
    if value is None:
        return None
    match kind, value:
        case "integer", int():
            return value
        case "boolean", int() if value in (0, 1):
            return bool(value)
        case "float", float():
            return value if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"
        case ("decimal", int() | float()) | ("json", int() | float()) if math.isfinite(value):
            return repr(value)
        case "bytes", bytes():
            return encode_bytes(value)
        case (("text" | "json" | "date" | "time" | "datetime" | "decimal" | "other"), str()):
            return value
        case "other", int() | float() if math.isfinite(value):
            return repr(value)
    plain = encode_bytes(value) if isinstance(value, bytes) else repr(value) if isinstance(value, float) else value
    return {"storage": _STORAGES[type(value)], "value": plain}


def _decoded(given: str, column: Column, value: Any) -> Any:  # noqa: PLR0911 -- one for each kind
    """What the file is to keep."""
    match value:
        case None:
            return None
        case bool():
            return int(value)
        case dict():
            return _stored(value)
        case list():
            return json.dumps(value, ensure_ascii=False)
        case int() if not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
            raise ValueError(f"{column.name!r} has a number of more than 64 bits, which SQLite has no place for")
        case str() if given == "bytes":
            return decode_bytes(value)
        case str() if given in ("decimal", "float"):
            return _number(value) if column.kind in ("decimal", "float", "integer", "other") else value
        case str() if given == "uuid":
            return value.replace("-", "") if column.declared.upper() == _UUID else value
        case str() if given == "instant" or (given == "datetime" and "T" in value):
            parts = moment_parts(value)
            return value if parts is None else f"{parts[0]} {parts[1]}{f'.{parts[2]}' if parts[2] else ''}"
    return value


def _stored(value: dict[str, Any]) -> Any:
    plain = value["value"]
    match value["storage"]:
        case "blob":
            return decode_bytes(plain)
        case "real":
            return float(plain)
        case "integer":
            return int(plain)
        case _:
            return str(plain)


def _number(text: str) -> Any:
    """The number that SQLite can keep; text where it would lose digits, which is noticed when it is compared."""
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return text
    if not exact.is_finite():
        return float(text)
    if exact == exact.to_integral_value() and -INTEGER_MAX - 1 <= exact <= INTEGER_MAX:
        return int(exact)
    return float(exact) if Decimal(repr(float(exact))) == exact else text


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
