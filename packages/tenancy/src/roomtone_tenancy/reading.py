"""Reads of the catalog that end in time, also when it accepts a connection and then never answers."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text

from .catalog_read import CatalogRead
from .own_connection import OwnConnection

T = TypeVar("T")

THREADS_MAX = 16
GRACE_S = 0.5
"""How much longer than the database's own time-out we wait, so that its own error is the one to be read."""


class CatalogReader:
    """Runs short reads with a time-out, each by itself.

    On PostgreSQL a read runs in a thread of its own, `THREADS_MAX` of them at most: a `statement_timeout` is the server's promise, and
    one that hangs keeps none. A read that is given up has its socket shut down, which ends the thread and rids the host's pool of it.
    Give the catalog's URL a `connect_timeout` too: until connected there is no socket of ours to shut.

    Args:
        timeout_s: how long one statement may take, seconds; a read ends at most `GRACE_S` later, a wait for a thread included.
        keeps: whether reads may go over one connection that stays open, and over the host's pool only while that one is busy; asked at
            each. Not behind a pooler in transaction mode. A query may then see another moment in each of its statements.
    """

    def __init__(self, engine: Engine, *, timeout_s: float, keeps: Callable[[], bool] = lambda: False) -> None:
        if timeout_s <= 0:
            raise ValueError("The catalog's time-out is a number of seconds above 0.")
        self._engine, self._timeout_s, self._keeps = engine, timeout_s, keeps
        self._start_over()

    def _start_over(self) -> None:
        """Threads of a parent process never end in its child."""
        self._pid, self._threads = os.getpid(), threading.BoundedSemaphore(THREADS_MAX)
        self._own = OwnConnection(self._engine, timeout_s=self._timeout_s)

    @property
    def wait_s(self) -> float:
        """The longest that a read takes, seconds."""
        return self._timeout_s + GRACE_S

    def read(self, query: Callable[[Connection], T]) -> T:
        """What `query` gives for a connection.

        Raises:
            TimeoutError: there was no answer in time.
            SQLAlchemyError: what the database or the pool says.
        """
        if self._engine.dialect.name == "sqlite":
            return self._read_file(query)
        if self._pid != os.getpid():
            self._start_over()
        read = CatalogRead(query)
        if not (self._keeps() and self._own.accept(read)):
            self._borrow(read)
        if not read.ended.wait(self.wait_s):
            read.give_up()
            raise TimeoutError(f"the catalog has not answered for {self.wait_s} s")
        if read.error is not None:
            raise read.error
        return read.result[0]

    def stop(self) -> None:
        """Close the connection that is kept; the next read opens another."""
        if self._pid == os.getpid():
            self._own.stop()

    def _borrow(self, read: CatalogRead[T]) -> None:
        """Begin the read over a connection of the host's pool."""
        threads = self._threads
        if not threads.acquire(timeout=self._timeout_s):
            raise TimeoutError(f"{THREADS_MAX} reads of the catalog have been hanging for {self._timeout_s} s")
        try:
            threading.Thread(target=self._run, args=(read, threads), name="catalog read", daemon=True).start()
        except BaseException:
            threads.release()
            raise

    def _run(self, read: CatalogRead[T], threads: threading.BoundedSemaphore) -> None:
        try:
            with self._engine.connect() as connection, read.on(connection):
                limit = {"ms": str(math.ceil(self._timeout_s * 1000))}
                connection.execute(text("SELECT set_config('statement_timeout', :ms, true)"), limit)
                read.result.append(read.query(connection))
                connection.rollback()
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is waited for
            read.error = error
        finally:
            threads.release()
            read.ended.set()

    def _read_file(self, query: Callable[[Connection], T]) -> T:
        """Wait no longer than our time-out for somebody who writes; the connection goes back as the host had it."""
        with self._engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection  # sqlite3's
            (before,) = driver.execute("PRAGMA busy_timeout").fetchone()
            driver.execute(f"PRAGMA busy_timeout = {math.ceil(self._timeout_s * 1000)}")
            try:
                return query(connection)
            finally:
                driver.execute(f"PRAGMA busy_timeout = {before}")
