"""Asks a PostgreSQL database what it is, and sends it recorded statements, in as few messages as can be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ..errors import OperationBusy
from . import FACT_SOURCES, Choose, Facts, Place

_FACTS = (
    "SELECT (SELECT string_agg(tenant_id, '+') FROM tenancy_stamp), "
    "(SELECT string_agg(version_num, '+' ORDER BY version_num) FROM alembic_version)"
)
_INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"
# The lock in a transaction of its own: what is read next sees what its last holder has committed, whatever the isolation level.
_BEGIN = (
    "SET ROLE {role}; SET default_transaction_read_only = off; SET lock_timeout = {wait}; "
    "BEGIN; SELECT pg_advisory_lock(hashtextextended('schema', 0)); COMMIT; "
    "SET lock_timeout = {lock}; SET statement_timeout = {statement}; "
)


def facts_of(inside: psycopg.Connection) -> Facts:
    """See `Provisioner.facts`."""
    try:
        found = inside.execute(f"{_FACTS}; {_INVALID}")
    except pg.UndefinedTable:
        return _facts_of_stranger(inside)
    facts = _facts(found)
    found.nextset()
    return replace(facts, invalid_indexes=tuple(name for (name,) in found.fetchall()))


def replay(
    inside: psycopg.Connection, place: Place, choose: Choose, *, wait_s: int, lock_timeout_ms: int, statement_timeout_ms: int
) -> None:
    """See `Provisioner.replay`. Each transaction is one message: most of the time goes into asking and waiting.

    Args:
        wait_s: how long to wait for the database's own lock, seconds.
    """
    limits = {"wait": f"{wait_s}s", "lock": lock_timeout_ms, "statement": statement_timeout_ms}
    literals = {name: sql.Literal(value) for name, value in limits.items()}
    try:
        found = inside.execute(sql.SQL(_BEGIN + _FACTS).format(role=sql.Identifier(place.owner), **literals))
    except pg.LockNotAvailable as error:
        raise OperationBusy(place.database, owner="another connection that changes its schema") from error
    while found.nextset():
        pass
    for statements in choose(_facts(found)):
        # On lines of their own: one may end with a comment.
        inside.execute("\n;\n".join(["BEGIN", *statements, "COMMIT"]).encode())


def _facts(found: psycopg.Cursor[Any]) -> Facts:
    """The answer to `_FACTS`."""
    row = found.fetchone()
    assert row is not None
    return Facts(stamp=row[0], revision=row[1])


def _facts_of_stranger(inside: psycopg.Connection) -> Facts:
    """Of a database that lacks one of our tables."""
    known: dict[str, str | None] = {}
    for table, query in FACT_SOURCES.items():
        row = inside.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
        known[table] = "+".join(value for (value,) in inside.execute(query.encode())) if row is not None and row[0] else None
    return Facts(stamp=known["tenancy_stamp"] or None, revision=known["alembic_version"] or None)
