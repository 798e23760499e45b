"""One connection to the catalog that stays open: a read over it is one message to the server and one back."""

from __future__ import annotations

import math
import queue
import threading
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine

from .catalog_read import CatalogRead
from .sockets import keep_alive

NAME = "roomtone_tenancy reader"
"""What the connection is called in pg_stat_activity."""
IDLE_S = 60.0
"""Closed, and its thread ended, when nothing was read for so long."""
AGE_MAX_S = 300.0
"""Opened anew when it is so old: the host's name may stand for another server by now."""


class OwnConnection:
    """A daemon thread with a connection of the catalog's engine, which does not count for its pool. It does one read at a time.

    Args:
        timeout_s: the statement time-out of its session, seconds.
    """

    def __init__(self, engine: Engine, *, timeout_s: float) -> None:
        self._engine, self._timeout_ms = engine, math.ceil(timeout_s * 1000)
        self._is_busy, self._reads = threading.Lock(), queue.SimpleQueue[CatalogRead[Any] | None]()
        self._thread: threading.Thread | None = None

    def accept(self, read: CatalogRead[Any]) -> bool:
        """Begin the read, unless another one is under way."""
        if not self._is_busy.acquire(blocking=False):
            return False
        try:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="catalog reads", daemon=True)
                self._thread.start()
        except BaseException:
            self._thread = None
            self._is_busy.release()
            raise
        self._reads.put(read)
        return True

    def stop(self) -> None:
        """Close the connection after the read under way; the next one opens another."""
        if self._thread is not None:
            self._reads.put(None)

    def _run(self) -> None:
        kept = _Kept(self._engine, self._timeout_ms)
        try:
            while True:
                try:
                    read = self._reads.get(timeout=IDLE_S)
                except queue.Empty:
                    read = None
                if read is not None:
                    kept.answer(read)
                    self._is_busy.release()
                    read.ended.set()
                elif self._is_busy.acquire(blocking=False):  # else somebody is about to bring a read
                    self._thread = None
                    self._is_busy.release()
                    return
        finally:
            kept.close()


class _Kept:
    def __init__(self, engine: Engine, timeout_ms: int) -> None:
        self._engine, self._timeout_ms = engine, timeout_ms
        self._connection: Connection | None = None
        self._opened_at = 0.0

    def answer(self, read: CatalogRead[Any]) -> None:
        """Do the read; once more, over another connection, when the one that was kept turns out to be dead."""
        if time.monotonic() - self._opened_at > AGE_MAX_S:
            self.close()
        was_kept = self._connection is not None
        self._try(read)
        if read.error is not None and was_kept and self._connection is None and not read.is_given_up:
            read.error = None
            self._try(read)

    def _try(self, read: CatalogRead[Any]) -> None:
        try:
            connection = self._connection = self._connection or self._open()
            with read.on(connection):
                read.result.append(read.query(connection))
            connection.rollback()  # sends nothing: it is in autocommit mode
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is waited for
            read.error = error
            self._check()

    def _open(self) -> Connection:
        self._opened_at = time.monotonic()
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            driver: Any = connection.connection.dbapi_connection  # psycopg's
            keep_alive(driver.fileno())
            connection.detach()
            connection.exec_driver_sql(f"SET statement_timeout = {self._timeout_ms}; SET application_name = '{NAME}'")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self) -> None:
        """After an error: is it still good for anything?"""
        if self._connection is None:
            return
        driver: Any = None if self._connection.invalidated else self._connection.connection.dbapi_connection
        if driver is None or driver.closed:
            self.close()
        else:
            with suppress(Exception):
                self._connection.rollback()

    def close(self) -> None:
        """End it, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()
