"""Operations on tenants and their steps, as the catalog records them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, bindparam, insert, select, text, update
from sqlalchemy.orm import Session

from . import faults
from .errors import OperationBusy
from .events import Events, StepFailed, StepFinished, StepStarted
from .lease import Lease
from .lifecycle import TenantState
from .models import OperationRow, StepRow, TenantRow
from .process import is_surely_dead, own_identity
from .progress import Progress, StepProgress, StepState
from .spans import Spans
from .tenant import Tenant

ERROR_LENGTH_MAX = 2000
Listener = Callable[[StepProgress], None]
_HOSTS_STEPS = ("seed",)


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Records what is to be done, what is done, and why it was not."""

    catalog: Engine
    clock: Callable[[], datetime]
    events: Events
    spans: Spans

    def want(
        self,
        session: Session,
        tenant_id: str,
        kind: str,
        steps: Sequence[str],
        *,
        done: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add the wish to the host's transaction, with steps that are done already; without others it is finished.

        A finished wish of the same kind is no obstacle.

        Args:
            details: JSON values that every attempt has to know.
        """
        states = [*((name, StepState.DONE) for name in done), *((name, StepState.WAITING) for name in steps)]
        now, connection = self.clock(), session.connection()
        wish = {"tenant_id": tenant_id, "kind": kind, "attempts": 0, "details": dict(details or {}), "created_at": now}
        finished = {"finished_at": None if steps else now}
        number = connection.scalar(_WISH, wish | finished)
        rows = [{"operation_id": number, "position": at, "name": name, "state": state} for at, (name, state) in enumerate(states)]
        connection.execute(_STEPS, rows)

    def progress(self, tenant_id: str) -> Progress | None:
        """The tenant's latest operation; None when there never was one."""
        with Session(self.catalog) as session:
            row = session.scalar(_latest(tenant_id))
            if row is None:
                return None
            return Progress(
                operation=row.kind,
                steps=tuple(map(_progress, row.steps)),
                error=row.error,
                attempts=row.attempts,
                is_done=row.finished_at is not None,
                owner=None if row.owner is None or is_surely_dead(row.owner) else row.owner,
            )

    def pending(self, kind: str) -> list[str]:
        """Keys of tenants with an unfinished operation of this kind, oldest wish first."""
        wanted = (
            select(TenantRow.key)
            .join(OperationRow, OperationRow.tenant_id == TenantRow.id)
            .where(OperationRow.finished_at.is_(None), OperationRow.kind == kind, TenantRow.state != TenantState.DELETED)
            .order_by(OperationRow.id)
        )
        if kind != "delete":
            wanted = wanted.where(TenantRow.state != TenantState.DELETING)
        with Session(self.catalog) as session:
            return list(session.scalars(wanted))

    def unfinished(self, session: Session, tenant_id: str, *, but: str = "") -> OperationRow | None:
        """The tenant's latest operation that is not finished, other than those of the kind `but`; None when there is none."""
        open_ones = _latest(tenant_id).where(OperationRow.finished_at.is_(None), OperationRow.kind != but)
        return session.scalar(open_ones)

    def begin(self, session: Session, lease: Lease, tenant: Tenant, listener: Listener | None, *, kind: str, is_instant: bool) -> Attempt:
        """Count an attempt and record its first step as running, in a transaction that has checked the lease.

        Raises:
            OperationBusy: something else has to be finished first, or nothing of this kind is wished for.
        """
        session.flush()
        connection = session.connection()
        rows = connection.execute(_OPEN, {"tenant": tenant.id, "kind": kind}).all()
        if not rows:
            raise OperationBusy(f"tenant {tenant.key!r}", owner=f"an operation that is no {kind}")
        number = rows[0].id
        steps = [row.name for row in rows if row.state != StepState.DONE]
        begun = {"attempts": rows[0].attempts + 1, "error": None, "owner": own_identity()}
        connection.execute(_SET, {"operation": number, **begun})
        if steps and not (is_instant and steps[0] not in _HOSTS_STEPS):
            connection.execute(_SET_STEP, {"operation": number, "step": steps[0], "state": StepState.RUNNING, "seconds": None})
        return Attempt(
            of=self,
            lease=lease,
            tenant=tenant,
            id=number,
            kind=kind,
            details=dict(rows[0].details),
            steps=steps,
            listener=listener,
            is_instant=is_instant,
        )


@dataclass(kw_only=True)
class Attempt:
    """One worker's try at an operation.

    Args:
        steps: those that are left, in order; the last one's work includes `finish`.
        is_instant: the server does a step in less time than the catalog takes to record it: steps are then recorded together, before
            the host's own and at the end. A kill has all of them done again, and they may be.
        details: what earlier attempts noted; `note` adds to it.
    """

    of: Operations
    lease: Lease
    tenant: Tenant
    id: int
    kind: str
    details: dict[str, Any]  # JSON
    steps: Sequence[str]
    listener: Listener | None
    is_instant: bool
    _began: float = field(default=0.0, init=False)
    _unrecorded: dict[str, float] = field(default_factory=dict, init=False)
    _writes: list[Callable[[Session], object]] = field(default_factory=list, init=False)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the block as this step: done with its seconds and the next one running, in one commit, or failed with its error."""
        is_last = name == self.steps[-1]
        self._report(StepProgress(name=name, state=StepState.RUNNING, seconds=None))
        self._began = time.monotonic()
        try:
            with self.of.spans.span(f"{self.kind}.{name}", tenant=self.tenant.key):
                self.of.events.run(StepStarted(tenant=self.tenant, operation=self.kind, step=name))
                yield
                if not is_last:
                    self.of.events.run(self._finished(name))
        except Exception as error:
            self._failed(name, error)
            self.of.events.tell(StepFailed(tenant=self.tenant, operation=self.kind, step=name, error=error))
            raise
        faults.point(f"{self.kind}.{name}.unrecorded")
        if is_last:
            self._report(StepProgress(name=name, state=StepState.DONE, seconds=self._seconds()))
            self.of.events.tell(self._finished(name))
        else:
            self._done(name)
        faults.point(f"{self.kind}.{name}.recorded")

    def record(self, write: Callable[[Session], object]) -> None:
        """Have a fact that the step found out written in the transaction that records the step."""
        self._writes.append(write)

    def note(self, **facts: Any) -> None:
        """Keep facts for later attempts, at once."""
        self.details.update(facts)
        with self._fenced() as session:
            session.connection().execute(_SET, {"operation": self.id, "details": dict(self.details)})

    def interrupted(self, error: Exception | None = None) -> None:
        """Record that nothing could be done, and why."""
        with self._fenced() as session:
            reason = None if error is None else f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
            session.connection().execute(_SET, {"operation": self.id, "owner": None, "error": reason})

    def finish(self, session: Session) -> None:
        """Mark the operation done, in the transaction that makes its result visible."""
        self._unrecorded[self.steps[-1]] = self._seconds()
        self._write(session)
        session.connection().execute(_SET, {"operation": self.id, "finished_at": self.of.clock(), "error": None, "owner": None})

    def _done(self, name: str) -> None:
        self._unrecorded[name] = self._seconds()
        following = self.steps[self.steps.index(name) + 1]
        if not self.is_instant or following in _HOSTS_STEPS:
            with self._fenced() as session:
                self._write(session, running=following)
        self._report(StepProgress(name=name, state=StepState.DONE, seconds=self._seconds()))

    def _failed(self, name: str, error: Exception) -> None:
        with self._fenced() as session:
            self._write(session)
            failed = {"operation": self.id, "step": name, "state": StepState.FAILED, "seconds": self._seconds()}
            session.connection().execute(_SET_STEP, failed)
            reason = f"{name}: {type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
            session.connection().execute(_SET, {"operation": self.id, "owner": None, "error": reason})
        self._report(StepProgress(name=name, state=StepState.FAILED, seconds=self._seconds()))

    def _write(self, session: Session, *, running: str | None = None) -> None:
        """Record the steps that were done since the last record, with what they found out."""
        rows: list[dict[str, Any]] = [{"step": name, "state": StepState.DONE, "seconds": s} for name, s in self._unrecorded.items()]
        if running is not None:
            rows.append({"step": running, "state": StepState.RUNNING, "seconds": None})
        if rows:
            session.connection().execute(_SET_STEP, [{"operation": self.id, **row} for row in rows])
        for write in self._writes:
            write(session)
        self._unrecorded.clear()
        self._writes.clear()

    @contextmanager
    def _fenced(self) -> Iterator[Session]:
        with Session(self.of.catalog) as session, session.begin():
            self.lease.check(session)
            _hurry(session)
            yield session

    def _finished(self, name: str) -> StepFinished:
        return StepFinished(tenant=self.tenant, operation=self.kind, step=name, seconds=self._seconds())

    def _report(self, progress: StepProgress) -> None:
        if self.listener is not None:
            self.listener(progress)

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def _hurry(session: Session) -> None:
    """Commit without waiting for the disk: a record lost in a crash of the catalog means a step done twice, and steps may be."""
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SET LOCAL synchronous_commit = off"))


def _latest(tenant_id: str) -> Select[OperationRow]:
    return select(OperationRow).where(OperationRow.tenant_id == tenant_id).order_by(OperationRow.id.desc()).limit(1)


# Put together once: for SQLAlchemy that is more work than the statement is for a database at hand. What is given beside the names
# that are looked for is what is set.
_OPEN_ONE = (
    select(OperationRow.id)
    .where(OperationRow.tenant_id == bindparam("tenant"), OperationRow.kind == bindparam("kind"), OperationRow.finished_at.is_(None))
    .order_by(OperationRow.id.desc())
    .limit(1)
)
_OPEN = (
    select(OperationRow.id, OperationRow.attempts, OperationRow.details, StepRow.name, StepRow.state)
    .join(StepRow, StepRow.operation_id == OperationRow.id)
    .where(OperationRow.id == _OPEN_ONE.scalar_subquery())
    .order_by(StepRow.position)
)
_WISH = insert(OperationRow).returning(OperationRow.id)
_STEPS = insert(StepRow)
_SET = update(OperationRow).where(OperationRow.id == bindparam("operation"))
_SET_STEP = update(StepRow).where(StepRow.operation_id == bindparam("operation"), StepRow.name == bindparam("step"))


def _progress(step: StepRow) -> StepProgress:
    return StepProgress(name=step.name, state=StepState(step.state), seconds=step.seconds)
