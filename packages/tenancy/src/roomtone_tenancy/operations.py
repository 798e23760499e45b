"""Operations on tenants and their steps, as the catalog records them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine, Select, select, text
from sqlalchemy.orm import Session

from . import faults
from .events import Events, StepFailed, StepFinished, StepStarted
from .lease import Lease
from .lifecycle import TenantState
from .models import OperationRow, StepRow, TenantRow
from .process import is_surely_dead, own_identity
from .progress import Progress, StepProgress, StepState
from .tenant import Tenant

ERROR_LENGTH_MAX = 2000
Listener = Callable[[StepProgress], None]


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Records what is to be done, what is done, and why it was not."""

    catalog: Engine
    clock: Callable[[], datetime]
    events: Events

    def want(self, session: Session, tenant_id: str, kind: str, steps: Sequence[str], *, done: Sequence[str] = ()) -> None:
        """Add the wish to the host's transaction, with steps that are done already; without others it is finished.

        A finished wish of the same kind is no obstacle.
        """
        states = [*((name, StepState.DONE) for name in done), *((name, StepState.WAITING) for name in steps)]
        rows = [StepRow(position=position, name=name, state=state) for position, (name, state) in enumerate(states)]
        now = self.clock()
        session.add(OperationRow(tenant_id=tenant_id, kind=kind, created_at=now, finished_at=None if steps else now, steps=rows))
        session.flush()

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
        if kind == "provision":
            wanted = wanted.where(TenantRow.state != TenantState.DELETING)
        with Session(self.catalog) as session:
            return list(session.scalars(wanted))

    def begin(self, session: Session, lease: Lease, tenant: Tenant, listener: Listener | None) -> Attempt:
        """Count an attempt and record its first step as running, in a transaction that has checked the lease."""
        row = session.scalars(_latest(tenant.id)).one()
        row.attempts += 1
        row.error, row.owner = None, own_identity()
        left = [step for step in row.steps if step.state != StepState.DONE]
        for step in left[:1]:
            step.state = StepState.RUNNING
        return Attempt(of=self, lease=lease, tenant=tenant, kind=row.kind, steps=[step.name for step in left], listener=listener)


@dataclass(kw_only=True)
class Attempt:
    """One worker's try at an operation.

    Args:
        steps: those that are left, in order; the last one's work includes `finish`.
    """

    of: Operations
    lease: Lease
    tenant: Tenant
    kind: str
    steps: Sequence[str]
    listener: Listener | None
    _began: float = field(default=0.0, init=False)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the block as this step: done with its seconds and the next one running, in one commit, or failed with its error."""
        is_last = name == self.steps[-1]
        self._report(StepProgress(name=name, state=StepState.RUNNING, seconds=None))
        self._began = time.monotonic()
        try:
            self.of.events.run(StepStarted(tenant=self.tenant, operation=self.kind, step=name))
            yield
            if not is_last:
                self.of.events.run(self._finished(name))
        except Exception as error:
            self._mark(name, StepState.FAILED, error=error)
            self.of.events.tell(StepFailed(tenant=self.tenant, operation=self.kind, step=name, error=error))
            raise
        faults.point(f"{self.kind}.{name}.unrecorded")
        if is_last:
            self._report(StepProgress(name=name, state=StepState.DONE, seconds=self._seconds()))
            self.of.events.tell(self._finished(name))
        else:
            self._mark(name, StepState.DONE)
        faults.point(f"{self.kind}.{name}.recorded")

    def finish(self, session: Session) -> None:
        """Mark the operation done, in the transaction that makes its result visible."""
        row = session.scalars(_latest(self.tenant.id)).one()
        row.finished_at, row.error, row.owner = self.of.clock(), None, None
        for step in row.steps:
            step.state = StepState.DONE
            step.seconds = self._seconds() if step.name == self.steps[-1] else step.seconds

    def _mark(self, name: str, state: StepState, *, error: Exception | None = None) -> None:
        with Session(self.of.catalog) as session, session.begin():
            self.lease.check(session)
            _hurry(session)
            row = session.scalars(_latest(self.tenant.id)).one()
            step = next(each for each in row.steps if each.name == name)
            step.state, step.seconds = state, self._seconds()
            following = next((each for each in row.steps if each.position > step.position and each.state != StepState.DONE), None)
            if state is StepState.DONE and following is not None:
                following.state = StepState.RUNNING
            if error is not None:
                row.owner, row.error = None, f"{name}: {type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
            progress = _progress(step)
        self._report(progress)

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


def _progress(step: StepRow) -> StepProgress:
    return StepProgress(name=step.name, state=StepState(step.state), seconds=step.seconds)
