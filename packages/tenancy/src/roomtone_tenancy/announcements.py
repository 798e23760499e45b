"""Hears from PostgreSQL what other processes change in the catalog, within milliseconds."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Engine, text

from .changes import Change, Changes
from .key import random_text
from .sockets import keep_alive, sever

CHANNEL = "tenancy_changes"
NAME = "roomtone_tenancy listener"
"""What the connection is called in pg_stat_activity."""
BEAT_S = 10.0
"""How often a silent connection is asked whether it lives; one that has not answered twice counts as dead."""
PROOF_S = 2.0
PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 30.0


class Announcements:
    """A daemon thread with one connection of its own that LISTENs; it begins with the first call of `ensure`, in each process anew.

    A connection that hears nothing, since a pooler in transaction mode stands between, is found out by a message to itself that is sent
    another way. Then, and whenever the connection is lost, `is_alive` is False and the caches fall back to short lives.

    Args:
        catalog: its engine opens the connection, which does not count for its pool.
        changes: told what is heard, and to doubt all it knows whenever something may have been missed.
        chance: from 0 to 1, spreads the attempts of many processes to connect again.
    """

    def __init__(self, catalog: Engine, changes: Changes, *, chance: Callable[[], float]) -> None:
        self._catalog, self._changes, self._chance = catalog, changes, chance
        self._start_over()

    def _start_over(self) -> None:
        """The thread and the connection of a parent process are not its child's."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped, self._proven = threading.Event(), threading.Event()
        self._beat_at = 0.0
        self._descriptor: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether changes of others are heard now."""
        return self._proven.is_set() and self._pid == os.getpid() and time.monotonic() < self._beat_at + 2 * BEAT_S

    def wait(self, timeout_s: float) -> bool:
        """Whether changes are heard, at once or within this time."""
        return self._proven.wait(timeout_s)

    def ensure(self) -> None:
        """Begin to listen, unless that was done already."""
        if self._pid != os.getpid():
            self._start_over()
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(self._stopped,), name="catalog announcements", daemon=True)
                self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """End the thread and close its connection; `ensure` would begin again."""
        if self._pid == os.getpid():
            self._stopped.set()
            with self._lock:
                if self._descriptor is not None:
                    sever(self._descriptor)
            if wait and self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join(PROOF_S)
        self._start_over()

    def _run(self, stopped: threading.Event) -> None:
        pause_s = PAUSE_MIN_S
        while not stopped.is_set():
            try:
                with self._connected() as connection:
                    self._prove(connection, stopped)
                    pause_s = PAUSE_MIN_S
                    self._follow(connection, stopped)
            except Exception:  # noqa: BLE001, S110 -- whatever ends a connection, the answer is another one
                pass
            if self._proven.is_set() and not stopped.is_set():
                self._proven.clear()
                self._changes.doubt()
            stopped.wait(pause_s * (0.5 + self._chance()))
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    @contextmanager
    def _connected(self) -> Iterator[Any]:  # psycopg's connection
        pooled = self._catalog.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        with closing(connection):
            connection.autocommit = True
            keep_alive(connection.fileno())
            with self._lock:
                self._descriptor = connection.fileno()
            try:
                yield connection
            finally:
                with self._lock:
                    self._descriptor = None

    def _prove(self, connection: Any, stopped: threading.Event) -> None:
        """Listen, and hear ourselves: what was read before that is doubted, what is read from then on is not."""
        own = f"tenancy_{random_text(16)}"
        connection.execute(f"SET application_name = '{NAME}'")
        connection.execute(f"LISTEN {CHANNEL}")
        connection.execute(f"LISTEN {own}")
        with self._catalog.begin() as other:
            other.execute(text("SELECT pg_notify(:own, '')"), {"own": own})
        with closing(connection.notifies(timeout=PROOF_S)) as notices:
            if not any(heard.channel == own for heard in notices) or stopped.is_set():
                raise TimeoutError("the connection hears nothing: a pooler in transaction mode?")
        connection.execute(f"UNLISTEN {own}")
        self._beat_at = time.monotonic()
        self._proven.set()
        self._changes.doubt()

    def _follow(self, connection: Any, stopped: threading.Event) -> None:
        while not stopped.is_set():
            for heard in connection.notifies(timeout=BEAT_S):
                self._tell(heard.payload)
            connection.execute("SELECT 1")
            self._beat_at = time.monotonic()

    def _tell(self, payload: str) -> None:
        try:
            said = json.loads(payload)
            change = Change(**{name: said.get(name) for name in Change.__slots__})
        except (ValueError, AttributeError):
            self._changes.doubt()  # not in our words: a newer version's trigger, perhaps
        else:
            self._changes.publish(change)
