"""PostgreSQL's side of exports: COPY out of a snapshot, COPY into one transaction, values as the server itself writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ...provisioners import Place
from ...server import Server
from ..contents import BESIDE_THE_DATA
from ..copiers.tables import RELATIONS, SETTINGS, first_of
from ..errors import NotPortable
from .tables import Counter, Row, Table
from .values import ARRAY, Column, decode_bytes, encode_bytes, moment_parts, time_parts

_KINDS = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("float4", "float8"), "float"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext"), "text"),
    **{"numeric": "decimal", "bool": "boolean", "bytea": "bytes", "date": "date", "time": "time", "uuid": "uuid"},
    **{"timestamp": "datetime", "timestamptz": "instant"},
}
# A domain is what it is made of; an enumeration is text. Generated columns make themselves.
_COLUMNS = (
    "WITH RECURSIVE base(oid, root) AS (SELECT oid, oid FROM pg_catalog.pg_type WHERE typtype <> 'd' "
    "UNION ALL SELECT d.oid, base.root FROM pg_catalog.pg_type d JOIN base ON d.typbasetype = base.oid WHERE d.typtype = 'd') "
    "SELECT a.attname, t.typname, t.typtype, e.typname, e.typtype "
    "FROM pg_catalog.pg_attribute a JOIN base ON base.oid = a.atttypid JOIN pg_catalog.pg_type t ON t.oid = base.root "
    "LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' "
    "WHERE a.attrelid = %s::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum"
)
_SEQUENCES = (
    "SELECT n.nspname, s.relname, tn.nspname, t.relname, a.attname FROM pg_catalog.pg_class s "
    "JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace "
    "LEFT JOIN pg_catalog.pg_depend d ON d.objid = s.oid AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
    "AND d.refclassid = d.classid AND d.deptype IN ('a', 'i') "
    "LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace "
    "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid "
    "WHERE s.relkind = 'S' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND NOT EXISTS ("
    "SELECT FROM pg_catalog.pg_depend e "
    "WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = s.oid AND e.deptype = 'e'"
    ") ORDER BY 1, 2"
)
_REFERENCES = (
    "SELECT conrelid::pg_catalog.regclass::text, conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint "
    "WHERE contype = 'f' AND conparentid = 0 ORDER BY 1, 2"
)
_TRIGGERS = (
    "SELECT tgrelid::pg_catalog.regclass::text, tgname FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O' ORDER BY 1, 2"
)
_VIEWS = "SELECT oid::pg_catalog.regclass::text FROM pg_catalog.pg_class WHERE relkind = 'm' ORDER BY oid"
_NOT_FINITE = re.compile(r"-?Infinity|NaN")


@dataclass(frozen=True)
class PostgresBooks:
    """See `Books`."""

    server: Server
    dialect = "postgresql"

    @contextmanager
    def reading(self, place: Place) -> Iterator[_Reading]:
        """See `Books.reading`."""
        with self._connect(place) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(SETTINGS)
            if connection.execute("SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT 1").fetchone() is not None:
                raise NotPortable(place.database, "it has large objects, which only a backup holds")
            reading = _Reading(connection)
            try:
                yield reading
            finally:
                reading.leave()
            connection.execute("ROLLBACK")

    @contextmanager
    def filling(self, place: Place) -> Iterator[_Filling]:
        """See `Books.filling`."""
        with self._connect(place) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(place.owner)))
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("BEGIN")
            connection.execute(SETTINGS)
            yield _Filling(connection)

    def blank(self, place: Place) -> None:
        """See `Books.blank`: it is."""

    def _connect(self, place: Place) -> psycopg.Connection[Any]:
        url = self.server.parsed.set(database=place.database)
        options: dict[str, Any] = {**url.translate_connect_args(database="dbname", username="user"), **url.query}
        return psycopg.connect(**options, autocommit=True, application_name="roomtone_tenancy", connect_timeout=10)


class _Reading:
    """See `Reading`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._left: Generator[Row, None, None] | None = None
        self.tenant_id = first_of(connection, "tenancy_stamp", "tenant_id")
        self.revision = first_of(connection, "alembic_version", "version_num")
        self.tables, self.counters = _tables(connection), tuple(_counters(connection))

    def rows(self, table: Table) -> Iterator[Row]:
        """See `Reading.rows`."""
        self.leave()
        self._left = self._rows(table)
        return self._left

    def leave(self) -> None:
        """End a COPY that nobody reads to its end: the connection is locked as long as it goes on."""
        if self._left is not None:
            self._left.close()

    def _rows(self, table: Table) -> Generator[Row, None, None]:
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
        query = sql.SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT").format(names, _named(table.name))
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            if table.columns:
                copy.set_types(["text" if column.element is None else "text[]" for column in table.columns])
            for row in copy.rows():
                yield [_encoded(column.kind, value) for column, value in zip(table.columns, row, strict=False)]


class _Filling:
    """See `Filling`. References are dropped and made again at the end, which checks them, whatever their order; triggers stay quiet."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._references = connection.execute(_REFERENCES).fetchall()
        self._triggers = connection.execute(_TRIGGERS).fetchall()
        self.tables = _tables(connection)

    def clear(self) -> None:
        """See `Filling.clear`."""
        for table, name, _ in self._references:
            self._connection.execute(_composed("ALTER TABLE {table} DROP CONSTRAINT {name}", table, name))
        for table, name in self._triggers:
            self._connection.execute(_composed("ALTER TABLE {table} DISABLE TRIGGER {name}", table, name))
        for each in self.tables:
            self._connection.execute(sql.SQL("DELETE FROM ONLY {}").format(_named(each.name)))

    def insert(self, table: Table, given: Table, rows: Iterable[Row]) -> None:
        """See `Filling.insert`."""
        kinds = {column.name: column for column in table.columns}
        pairs = [(column.kind, kinds[column.name]) for column in given.columns]
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in given.columns)
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(_named(table.name), names)
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in rows:
                copy.write_row([_decoded(kind, column, value) for (kind, column), value in zip(pairs, row, strict=True)])

    def count_on(self, counters: Sequence[Counter]) -> None:
        """See `Filling.count_on`. A counter that came along is set as it was; any other goes on after the largest number."""
        given = {counter.name: counter for counter in counters}
        for mine in _counters(self._connection):
            assert mine.name is not None
            if (like := given.get(mine.name)) is not None:
                self._set(mine.name, like.last, is_used=like.is_used)
            elif mine.table is not None and mine.column is not None:
                query = sql.SQL("SELECT max({}) FROM ONLY {}").format(sql.Identifier(mine.column), _named(mine.table))
                (largest,) = self._connection.execute(query).fetchone() or (None,)
                kept = max((each.last for each in counters if each.table == mine.table and each.name is None), default=0)
                if largest is not None or kept:
                    self._set(mine.name, max(largest or 0, kept), is_used=True)

    def finish(self) -> None:
        """See `Filling.finish`."""
        for table, name, definition in self._references:
            self._connection.execute(_composed("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}", table, name, definition))
        for table, name in self._triggers:
            self._connection.execute(_composed("ALTER TABLE {table} ENABLE TRIGGER {name}", table, name))
        for (view,) in self._connection.execute(_VIEWS).fetchall():
            self._connection.execute(_composed("REFRESH MATERIALIZED VIEW {table}", view))
        self._connection.execute("COMMIT")

    def _set(self, name: str, last: int, *, is_used: bool) -> None:
        schema, plain = _split(name)
        literal = sql.Identifier(schema, plain).as_string(self._connection)
        self._connection.execute("SELECT pg_catalog.setval(%s::pg_catalog.regclass, %s, %s)", [literal, last, is_used])


def _tables(connection: psycopg.Connection[Any]) -> tuple[Table, ...]:
    found: list[Table] = []
    for schema, name, kind in connection.execute(RELATIONS).fetchall():
        title = _title(schema, name)
        if kind == "r" and title not in BESIDE_THE_DATA | {"alembic_version"}:
            if "." in schema + name:
                raise NotPortable(title, "it has a dot in its name")
            literal = sql.Identifier(schema, name).as_string(connection)
            columns = connection.execute(_COLUMNS, [literal]).fetchall()
            found.append(Table(name=title, columns=tuple(Column(name=row[0], kind=_kind(*row[1:])) for row in columns)))
    return tuple(found)


def _kind(name: str, category: str, element: str | None, element_category: str | None) -> str:
    if element is not None:
        return f"{ARRAY}{_kind(element, element_category or 'b', None, None)}"
    return "text" if category == "e" else _KINDS.get(name, "other")


def _counters(connection: psycopg.Connection[Any]) -> Iterator[Counter]:
    for schema, name, table_schema, table, column in connection.execute(_SEQUENCES).fetchall():
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        last, is_used = connection.execute(query).fetchone() or (1, False)
        owner = None if table is None else _title(table_schema, table)
        yield Counter(table=owner, column=column, name=_title(schema, name), last=last, is_used=is_used)


def _encoded(kind: str, value: Any) -> Any:  # noqa: PLR0911 -- one for each kind
    """The value, from what the server wrote."""
    if value is None:
        return None
    if kind.startswith(ARRAY):
        return [_encoded(kind if isinstance(each, list) else kind.removeprefix(ARRAY), each) for each in value]
    match kind:
        case "integer":
            return int(value)
        case "float":
            return value if _NOT_FINITE.fullmatch(value) else float(value)
        case "boolean":
            return value == "t"
        case "bytes":
            return encode_bytes(bytes.fromhex(value[2:]))
        case "datetime" | "instant":
            parts = moment_parts(value)
            zone = "+00:00" if kind == "instant" else ""
            return value if parts is None else f"{parts[0]}T{parts[1]}.{parts[2]:0<6}{zone}"
        case "time":
            time = time_parts(value)
            return value if time is None else f"{time[0]}.{time[1]:0<6}"
        case _:
            return value


def _decoded(given: str, column: Column, value: Any) -> Any:
    """What the server is to read."""
    if value is None:
        return None
    if isinstance(value, dict):
        raise ValueError(f"{column.name!r} has a {value.get('storage')} among its {given} values, which PostgreSQL has no place for")
    if (element := column.element) is not None:
        if isinstance(value, str):
            value, given = _json_array(value), column.kind
        return [
            _decoded(given if isinstance(each, list) else given.removeprefix(ARRAY), _part(column, element, each), each) for each in value
        ]
    match given:
        case "boolean":
            return ("t" if value else "f") if column.kind in ("boolean", "text", "other") else str(int(value))
        case "bytes":
            return f"\\x{decode_bytes(value).hex()}"
        case "float" if isinstance(value, float):
            return repr(value)
        case _:
            return value if isinstance(value, str) else str(value)


def _part(column: Column, element: str, each: Any) -> Column:
    return column if isinstance(each, list) else Column(name=column.name, kind=element)


def _json_array(text: str) -> list[Any]:
    """An array that SQLite keeps as JSON."""
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError(f"{text[:40]!r} is no array")
    return value


def _title(schema: str, name: str) -> str:
    return name if schema == "public" else f"{schema}.{name}"


def _split(title: str) -> tuple[str, str]:
    schema, dot, name = title.partition(".")
    return (schema, name) if dot else ("public", title)


def _named(title: str) -> sql.Identifier:
    return sql.Identifier(*_split(title))


def _composed(statement: str, table: str, name: str = "", definition: str = "") -> sql.Composed:
    """A statement on a table that the server itself named, quoted already."""
    parts = {"table": sql.SQL(table), "name": sql.Identifier(name or "_"), "definition": sql.SQL(definition)}
    return sql.SQL(statement).format(**parts)
