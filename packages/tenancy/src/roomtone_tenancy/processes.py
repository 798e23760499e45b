"""Divides a server's connections between the processes that live: each beats in the catalog and takes its part."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from .models import InstallationRow, ProcessRow
from .pool import Budgets
from .process import own_identity
from .server import PoolLimits

BEATS_MISSED_MAX = 3
log = logging.getLogger(__name__)


class Heart:
    """One process's beat. The shares of all living processes together never exceed the limit: a process grows only into what
    the others have written that they gave up, so that a newcomer may have to wait a beat or two for its first connection.

    A process that cannot reach the catalog keeps its share. One that is stopped for `BEATS_MISSED_MAX` beats and then goes on
    holds what it holds until its next beat: for that long the limit can be exceeded.

    Args:
        budgets: what is resized.
        limits: `per_server` is divided, every `beat_s`; without that nothing beats.
    """

    def __init__(self, *, catalog: Engine, clock: Callable[[], datetime], budgets: Budgets, limits: PoolLimits) -> None:
        self._catalog, self._clock, self._budgets, self._limits = catalog, clock, budgets, limits
        self._pid: int | None = None
        self._lock = threading.Lock()

    def ensure(self) -> None:
        """Beat once and go on in the background, unless this process does already."""
        if self._limits.beat_s is None or self._pid == os.getpid():
            return
        with self._lock:
            if self._pid == os.getpid():
                return
            self._id, self._stop = uuid.uuid4().hex, threading.Event()
            self._budgets.resize(0)  # a forked child has its parent's share otherwise
            self.beat()
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._run, args=(self._stop, self._limits.beat_s), name="tenancy heart", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Give the share back to the others; the next `ensure` begins anew."""
        if self._pid == os.getpid():
            self._stop.set()
            self._thread.join()
            self._pid = None
            self._budgets.resize(0)
            with suppress(SQLAlchemyError), Session(self._catalog) as session, session.begin():
                session.execute(delete(ProcessRow).where(ProcessRow.id == self._id))

    def beat(self) -> int:
        """Tell that we live, count who else does, take our share; gives the share."""
        now, limit = self._clock(), self._limits.per_server
        silent_s = BEATS_MISSED_MAX * (self._limits.beat_s or 0.0)
        with Session(self._catalog) as session, session.begin():
            session.execute(update(InstallationRow).values(id=InstallationRow.id))  # one process at a time
            session.execute(delete(ProcessRow).where(ProcessRow.seen_at < now - timedelta(seconds=silent_s)))
            others = session.scalars(select(ProcessRow.share).where(ProcessRow.id != self._id)).all()
            part = max(1, limit // (len(others) + 1))
            share = max(0, min(part, limit - sum(others)))
            row = session.get(ProcessRow, self._id) or ProcessRow(id=self._id, identity=own_identity(), share=0)
            # What is lent stays ours until it comes back; nothing new is opened beyond the share meanwhile.
            row.share = max(share, self._budgets.resize(min(share, row.share)))
            row.seen_at = now
            session.add(row)
        self._budgets.resize(share)
        return share

    def _run(self, stop: threading.Event, beat_s: float) -> None:
        while not stop.wait(beat_s):
            try:
                self.beat()
            except SQLAlchemyError:
                log.warning("The catalog is away: this process keeps its share of connections.", exc_info=True)
