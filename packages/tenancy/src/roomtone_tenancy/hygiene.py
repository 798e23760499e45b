"""What a connection goes through between two borrowers, and when it ends: one class for each kind of server."""

from __future__ import annotations

import os
import select
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

END_WAIT_S = 2.0
RESET_WAIT_S = 2.0
READS_MAX = 100
# All that DISCARD ALL does, but for prepared statements: psycopg knows its own and goes on using them.
_RESET = (
    b"CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    b"SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)


class Hygiene(Protocol):
    """Keeps one borrower's session state from the next one. Connections are the driver's own."""

    def begin(self, connection: Any) -> None:
        """Start cleaning a connection that comes back; may leave it to the server and not wait."""

    def is_fit(self, connection: Any) -> bool:
        """Whether it is clean and, as far as can be told without asking the server, alive."""

    def end_of(self, connection: Any) -> Callable[[], None]:
        """Called before it is closed: gives a function that waits until the server has ended it too."""


class PostgresHygiene:
    """Sends one batch of resets as a used session comes back, and reads the answer when it is lent again: nobody waits for it.
    A session that ran nothing but plain queries has nothing to reset.

    Args:
        resets: False behind a pooler in transaction mode, where a session has no state and belongs to somebody else next.
    """

    def __init__(self, *, resets: bool) -> None:
        from psycopg import Error

        self._resets, self._error = resets, Error

    def begin(self, connection: Any) -> None:
        """See `Hygiene`."""
        if connection.autocommit:
            connection.autocommit = False
        if connection.isolation_level is not None or connection.read_only is not None or connection.deferrable is not None:
            connection.isolation_level = connection.read_only = connection.deferrable = None
        if self._resets and connection.is_dirty:
            connection.pgconn.send_query(_RESET)
            connection.is_dirty, connection.is_cleaning = False, True

    def is_fit(self, connection: Any) -> bool:
        """See `Hygiene`. A backend that was ended has told so: its farewell waits to be read."""
        try:
            if self._resets and connection.is_cleaning:
                if not _has_succeeded(connection.pgconn):
                    return False
                connection.is_cleaning = False
            return _is_silent(connection.pgconn)
        except self._error:
            return False

    def end_of(self, connection: Any) -> Callable[[], None]:
        """See `Hygiene`. A backend closes its socket as the very last thing, when it is counted no more."""
        try:
            socket = os.dup(connection.pgconn.socket)
        except Exception:  # noqa: BLE001 -- psycopg's own and OSError: it is closed already
            return lambda: None

        def wait() -> None:
            try:
                while _is_readable(socket, END_WAIT_S):
                    if not os.read(socket, 4096):
                        return
            except OSError:
                return
            finally:
                os.close(socket)

        return wait


def _has_succeeded(pgconn: Any) -> bool:
    from psycopg.pq import ExecStatus

    while True:
        pgconn.consume_input()
        while pgconn.is_busy():
            if not _is_readable(pgconn.socket, RESET_WAIT_S):
                return False
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return True
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            return False


def _is_silent(pgconn: Any) -> bool:
    for _ in range(READS_MAX):
        if not _is_readable(pgconn.socket, 0):
            while pgconn.notifies() is not None:
                pass  # what the last borrower listened to
            return True
        pgconn.consume_input()  # raises at the end of the stream
    return False


def _is_readable(socket: int, wait_s: float) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(wait_s * 1000))


class SqliteHygiene:
    """A file's connection has little state; one with temporary tables is not lent again."""

    def begin(self, connection: Any) -> None:
        """See `Hygiene`."""
        connection.isolation_level = None
        connection.row_factory = None

    def is_fit(self, connection: Any) -> bool:
        """See `Hygiene`."""
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA foreign_keys = ON")
            return connection.execute("SELECT 1 FROM sqlite_temp_schema LIMIT 1").fetchone() is None
        return False

    def end_of(self, connection: Any) -> Callable[[], None]:  # noqa: ARG002 -- as Hygiene's
        """See `Hygiene`."""
        return lambda: None
