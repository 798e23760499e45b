"""One runner of a run: takes tenants, migrates several at once, says what became of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from .. import faults
from ..errors import OperationBusy, StampMismatch
from ..models import TenantRow
from ..provisioners import Place
from ..provisioners.stamp import STAMP
from ..provisioning import Provisioning
from .desk import MIGRATED_STATES
from .rollout import Rollout
from .runs import Runs
from .tape import NotReplayable, Recorder
from .tapes import Tapes
from .works import Result, Work

AHEAD = 4
TELL_EVERY_S = 0.25
# Of SQLSTATE: no connection, deadlock, out of resources, lock not available, stopped by an administrator or a time-out.
_PASSING_CLASSES = ("08", "40", "53", "55", "57")


@dataclass(kw_only=True)
class Runner:
    """Works on one run until it is over.

    Args:
        listener: called in this thread with each result after it is recorded.
    """

    of: Provisioning
    runs: Runs
    run_id: int
    rollout: Rollout
    listener: Callable[[Result], object]
    tapes: Tapes = field(init=False)
    _pending: dict[Future[Result | None], Work] = field(default_factory=dict, init=False)
    _unbegun: list[Work] = field(default_factory=list, init=False)
    _failed: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self.tapes = Tapes(revisions=self.of.revisions, runs=self.runs, run_id=self.run_id)

    def run(self) -> None:
        """Go on until nothing is left, or the run was stopped. What this runner took and did not finish is given back."""
        threads = ThreadPoolExecutor(self.rollout.parallel, thread_name_prefix="migrate")
        with self.of.spans.span("run", run=self.run_id), self._renewing():
            try:
                self._loop(threads)
            finally:
                threads.shutdown(wait=True, cancel_futures=True)
                with suppress(SQLAlchemyError):
                    self.runs.release(self.run_id)

    def _loop(self, threads: ThreadPoolExecutor) -> None:
        results: list[Result] = []
        while True:
            with self.of.spans.span("run.turn", run=self.run_id, results=len(results)) as span:
                turn = self.runs.turn(self.run_id, self.rollout, results, want=self._appetite())
                span.note(taken=len(turn.works))
            for event in turn.events:
                self.of.events.tell(event)
            for result in results:
                self.listener(result)
            if turn.is_over:
                for future in [future for future in self._pending if future.cancel()]:
                    del self._pending[future]
                if not self._pending:
                    return
            works, self._unbegun = [*([] if turn.is_over else self._unbegun), *turn.works], []
            self._failed.clear()
            for work in sorted(works, key=lambda it: it.position):
                self._pending[threads.submit(self.of.spans.carried(self._do), work)] = work
            if not self._pending:
                time.sleep(max(turn.wait_s, 0.01))
            results = self._gather(turn.wait_s)

    def _appetite(self) -> int:
        """Some more than are worked on at once, so that no thread waits for the catalog; not so where a limit counts what is taken."""
        ahead = AHEAD if self.rollout.per_server is None else 1
        return ahead * self.rollout.parallel - len(self._pending) - len(self._unbegun)

    @property
    def _enough(self) -> int:
        """Of what is taken, so that no thread is without work while results are recorded."""
        return AHEAD // 2 * self.rollout.parallel

    def _gather(self, wait_s: float) -> list[Result]:
        """Results, several at once while there is other work: until half of what was taken is done. A failure is told at once."""
        found: list[Result] = []
        since = time.monotonic()
        while self._pending and (not found or (len(self._pending) > self._enough and time.monotonic() - since < TELL_EVERY_S)):
            done, _ = wait(self._pending, timeout=wait_s or None, return_when=FIRST_COMPLETED)
            for future in done:
                work, result = self._pending.pop(future), future.result()
                if result is None:
                    self._unbegun.append(work)
                else:
                    found.append(result)
            if not done or self._failed.is_set():
                break
        return found

    def _do(self, work: Work) -> Result | None:
        """Migrate one tenant; None when it was not begun, since another's failure may have to stop the run."""
        if self._failed.is_set():
            return None
        result = self._attempt(work)
        if result.error is not None:
            self._failed.set()
        faults.point("fleet.applied")
        return result

    def _attempt(self, work: Work) -> Result:
        began = time.monotonic()
        if work.database is None:
            return Result(work=work, is_skipped=True)
        try:
            with self.of.spans.span("run.migrate", tenant=work.key, server=work.server, attempt=work.attempts) as span:
                way = self._apply(work, Place(database=work.database))
                span.note(way=way or "none")
        except Exception as error:  # noqa: BLE001 -- whatever a revision raises, the other tenants go on
            if not self._is_wanted(work):
                return Result(work=work, is_skipped=True)
            text = f"{type(error).__name__}: {error}"
            return Result(work=work, error=text, may_pass=may_pass(error), seconds=time.monotonic() - began)
        return Result(work=work, revision=self.of.revisions.head, way=way, seconds=time.monotonic() - began)

    def _apply(self, work: Work, place: Place) -> str | None:
        """Bring the database to the head; returns the way, None when it was there."""
        site = self.of.sites[work.server]
        if self.rollout.replay:
            with suppress(NotReplayable):
                return "replay" if self.tapes.apply(site, work, place, self.rollout, check=self._refuse_fenced) else None
        recorder = Recorder()
        with site.provisioner.owner_connection(place) as connection:
            _limit(connection, self.rollout)
            if (found := connection.scalar(select(STAMP.c.tenant_id))) != work.tenant_id:
                raise StampMismatch(work.key, expected=work.tenant_id, found=found)
            connection.rollback()
            self._refuse_fenced(work)
            self.of.revisions.upgrade(connection, recorder.hear)
            if self.rollout.replay:
                self.tapes.learn(site, connection.dialect, recorder)
        return "alembic" if recorder.sent else None

    def _refuse_fenced(self, work: Work) -> None:
        """Asked again under the lock on the database's schema: what is copied now must not change."""
        with self.of.catalog.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            if connection.scalar(select(TenantRow.is_fenced).where(TenantRow.id == work.tenant_id)):
                raise OperationBusy(work.key, owner="an operation that has it fenced")

    def _is_wanted(self, work: Work) -> bool:
        with Session(self.of.catalog) as session:
            return session.scalar(select(TenantRow.state).where(TenantRow.id == work.tenant_id)) in MIGRATED_STATES

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        stop = threading.Event()
        renewer = threading.Thread(target=self._renew_until, args=(stop,), name=f"run {self.run_id}", daemon=True)
        renewer.start()
        try:
            yield
        finally:
            stop.set()
            renewer.join()

    def _renew_until(self, stop: threading.Event) -> None:
        while not stop.wait(self.runs.ttl_s / 3):
            # A catalog that is away now may be back before the lease ends; if not, nothing of ours is recorded.
            with suppress(SQLAlchemyError):
                self.runs.renew(self.run_id)


def may_pass(error: Exception) -> bool:
    """Whether the same may succeed a little later: something was locked, away or overloaded."""
    cause = getattr(error, "orig", None) or error
    name, state = getattr(cause, "sqlite_errorname", None), getattr(cause, "sqlstate", None)
    if isinstance(error, OperationBusy):
        return True
    if name is not None:
        return str(name).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    if state is not None:
        return str(state).startswith(_PASSING_CLASSES)
    return any(each.__name__ == "OperationalError" for each in type(cause).__mro__)


def _limit(connection: Connection, rollout: Rollout) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {rollout.lock_timeout_ms:d}")
    else:
        connection.exec_driver_sql(f"SET lock_timeout = {rollout.lock_timeout_ms:d}")
        connection.exec_driver_sql(f"SET statement_timeout = {rollout.statement_timeout_ms:d}")
    connection.commit()
