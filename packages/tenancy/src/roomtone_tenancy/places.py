"""Places for tenants on a server: sign-ups take them side by side while there are many, one after another the last ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from sqlalchemy import Connection, bindparam, func, select, text

SIDE_BY_SIDE_MAX = 32
"""Transactions that may be placing a tenant on one server at the same time; fewer places than that are given out singly."""

_HELD = 0  # which lock of a server's: shared by those side by side, exclusive for one of the last places; tickets are from 1 on
_TICKET = text("""
    WITH mine AS MATERIALIZED (
        SELECT objid::int AS number FROM pg_locks
        WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid = CAST(:server AS oid) AND objsubid = 2
    )
    SELECT number FROM generate_series(1, :tickets) AS number
    WHERE CASE WHEN number IN (SELECT number FROM mine) THEN false ELSE pg_try_advisory_xact_lock(:server, number) END
    LIMIT 1
""").bindparams(bindparam("tickets", SIDE_BY_SIDE_MAX))


def take(connection: Connection, server: str, room: Callable[[], int], *, expected: int) -> bool:
    """Hold a place on the server until the transaction ends; False when there is none.

    Each transaction that takes a place side by side holds one of `SIDE_BY_SIDE_MAX` tickets for each. So there are never more unseen
    tenants than tickets, and it is safe to go on while that many places are left. Somebody who takes one of the last waits until those
    tickets are back and is alone. On SQLite the caller is the only writer already.

    Args:
        room: places left as a new statement counts them, this transaction's own tenants included; 0 when nobody is taken in.
        expected: what `room` said a moment ago.
    """
    if connection.dialect.name == "sqlite":
        return expected > 0
    number = _number(server)
    if expected >= SIDE_BY_SIDE_MAX:
        with connection.begin_nested() as savepoint:  # its rollback gives the locks back
            connection.execute(select(func.pg_advisory_xact_lock_shared(number, _HELD)))
            ticket = connection.scalar(_TICKET, {"server": number})
            if ticket is not None and room() >= SIDE_BY_SIDE_MAX:
                return True
            savepoint.rollback()
    with connection.begin_nested() as savepoint:
        wait_for_all(connection, server)
        if room() > 0:
            return True
        savepoint.rollback()
    return False


def wait_for_all(connection: Connection, server: str) -> None:
    """Wait until no transaction is placing a tenant on the server, and let none begin until this one ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_number(server), _HELD)))


def _number(server: str) -> int:
    """Its locks' class: two servers that share one only wait for each other."""
    return zlib.crc32(f"roomtone_tenancy places on {server}".encode()) & 0x7FFFFFFF
