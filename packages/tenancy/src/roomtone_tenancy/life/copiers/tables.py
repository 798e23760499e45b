"""What a PostgreSQL database holds, counted and summed up where it is."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from ..contents import Contents, TableContents

# A row's text depends on these.
SETTINGS = (
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL bytea_output = 'hex'; SET LOCAL search_path = ''; SET LOCAL statement_timeout = 0; SET LOCAL row_security = off"
)
RELATIONS = (
    "SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'S') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
    "WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1, 2"
)
# 60 bits of each row's digest, so that their sum fits a numeric whatever the order of rows.
_SUM = (
    "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(('x' || pg_catalog.left(pg_catalog.md5(t::text), 15))::bit(60)::bigint), 0)::text "
    "FROM ONLY {} AS t"
)


def contents_of(connection: psycopg.Connection[Any]) -> Contents:
    """Rows and checksum of each table, position of each sequence, large objects; within the transaction that was begun."""
    connection.execute(SETTINGS)
    found: dict[str, TableContents] = {}
    for schema, name, kind in connection.execute(RELATIONS).fetchall():
        title = name if schema == "public" else f"{schema}.{name}"
        if kind == "S":
            found[f"sequence {title}"] = _sequence(connection, schema, name)
        else:
            rows, checksum = connection.execute(sql.SQL(_SUM).format(sql.Identifier(schema, name))).fetchone() or (0, "0")
            found[title] = TableContents(rows=rows, checksum=str(checksum))
    return {**found, **_large_objects(connection)}


def first_of(connection: psycopg.Connection[Any], table: str, column: str) -> str | None:
    """The value in the only row of a table of public; None without it."""
    if connection.execute("SELECT pg_catalog.to_regclass(%s)", [f"public.{table}"]).fetchone() == (None,):
        return None
    query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier("public", table))
    row = connection.execute(query).fetchone()
    return None if row is None else str(row[0])


def _sequence(connection: psycopg.Connection[Any], schema: str, name: str) -> TableContents:
    query = sql.SQL("SELECT last_value || '/' || is_called FROM {}").format(sql.Identifier(schema, name))
    (position,) = connection.execute(query).fetchone() or ("",)
    return TableContents(rows=0, checksum=position)


def _large_objects(connection: psycopg.Connection[Any]) -> Contents:
    (count,) = connection.execute("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata").fetchone() or (0,)
    if not count:
        return {}
    query = (
        "SELECT sum(('x' || left(md5(oid::text || md5(pg_catalog.lo_get(oid))), 15))::bit(60)::bigint)::text FROM pg_largeobject_metadata"
    )
    (checksum,) = connection.execute(query.replace("FROM pg_", "FROM pg_catalog.pg_")).fetchone() or ("0",)
    return {"large objects": TableContents(rows=count, checksum=str(checksum))}
