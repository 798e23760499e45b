"""Reads of the catalog that end in time, also when it accepts a connection and then never answers."""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, text

T = TypeVar("T")

THREADS_MAX = 16
GRACE_S = 0.5
"""How much longer than the database's own time-out we wait, so that its own error is the one to be read."""


class CatalogReader:
    """Runs short reads, each in a transaction of its own with a time-out.

    On PostgreSQL a read runs in a thread of its own, `THREADS_MAX` of them at most: a `statement_timeout` is the server's promise, and
    one that hangs keeps none. A read that is given up has its socket shut down, which ends the thread and rids the host's pool of it.
    Give the catalog's URL a `connect_timeout` too: until connected there is no socket of ours to shut.

    Args:
        timeout_s: how long one statement may take, seconds; a read ends at most `GRACE_S` later, a wait for a thread included.
    """

    def __init__(self, engine: Engine, *, timeout_s: float) -> None:
        if timeout_s <= 0:
            raise ValueError("The catalog's time-out is a number of seconds above 0.")
        self._engine, self._timeout_s = engine, timeout_s
        self._start_over()

    def _start_over(self) -> None:
        """Threads of a parent process never end in its child."""
        self._pid, self._threads = os.getpid(), threading.BoundedSemaphore(THREADS_MAX)

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
        threads = self._threads
        if not threads.acquire(timeout=self._timeout_s):
            raise TimeoutError(f"{THREADS_MAX} reads of the catalog have been hanging for {self._timeout_s} s")
        read = _Read(query)
        try:
            threading.Thread(target=self._run, args=(read, threads), name="catalog read", daemon=True).start()
        except BaseException:
            threads.release()
            raise
        if not read.ended.wait(self.wait_s):
            read.give_up()
            raise TimeoutError(f"the catalog has not answered for {self.wait_s} s")
        if read.error is not None:
            raise read.error
        return read.result[0]

    def _run(self, read: _Read[T], threads: threading.BoundedSemaphore) -> None:
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
            before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {math.ceil(self._timeout_s * 1000)}")
            try:
                return query(connection)
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {before}")


@dataclass(slots=True)
class _Read(Generic[T]):
    query: Callable[[Connection], T]
    result: list[T] = field(default_factory=list)
    error: BaseException | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _descriptor: int | None = None
    _is_given_up: bool = False

    @contextmanager
    def on(self, connection: Connection) -> Iterator[None]:
        """Note the connection's socket while the block runs."""
        driver: Any = connection.connection.driver_connection  # psycopg's
        with self._lock:
            if self._is_given_up:
                raise TimeoutError("connected when nobody waited any more")
            self._descriptor = driver.fileno()
        try:
            yield
        finally:
            with self._lock:
                self._descriptor = None

    def give_up(self) -> None:
        """End it, if it has a socket by now."""
        with self._lock:
            self._is_given_up = True
            if self._descriptor is not None:
                sever(self._descriptor)


def sever(descriptor: int) -> None:
    """Shut a socket down, so that whoever waits for its other end fails at once. It is still its owner's to close."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as own:
        own.shutdown(socket.SHUT_RDWR)
