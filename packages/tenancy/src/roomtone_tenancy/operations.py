"""Operations on tenants and their steps, as the catalog records them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import Session

from .lease import Lease
from .lifecycle import TenantState
from .models import OperationRow, StepRow, TenantRow
from .progress import Progress, StepProgress, StepState

ERROR_LENGTH_MAX = 2000
Listener = Callable[[StepProgress], None]


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Records what is to be done, what is done, and why it was not."""

    catalog: Engine
    clock: Callable[[], datetime]

    def want(self, session: Session, tenant_id: str, kind: str, steps: Sequence[str]) -> None:
        """Add the wish to the host's transaction; a finished wish of the same kind is no obstacle."""
        rows = [StepRow(position=position, name=name, state=StepState.WAITING) for position, name in enumerate(steps)]
        session.add(OperationRow(tenant_id=tenant_id, kind=kind, created_at=self.clock(), steps=rows))
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

    def begin(self, lease: Lease, tenant_id: str) -> list[str]:
        """Count an attempt, record its first step as running, and return the steps that are left, in order."""
        with self._fenced(lease) as session:
            row = self._row(session, tenant_id)
            row.attempts += 1
            row.error = None
            left = [step for step in row.steps if step.state != StepState.DONE]
            for step in left[:1]:
                step.state = StepState.RUNNING
            return [step.name for step in left]

    @contextmanager
    def step(self, lease: Lease, tenant_id: str, name: str, listener: Listener | None) -> Iterator[None]:
        """Record the block as this step: done with its seconds and the next one running, in one commit, or failed with its error."""
        if listener is not None:
            listener(StepProgress(name=name, state=StepState.RUNNING, seconds=None))
        start = time.monotonic()
        try:
            yield
        except Exception as error:
            self._mark(lease, tenant_id, name, StepState.FAILED, listener, seconds=time.monotonic() - start, error=error)
            raise
        self.finish_step(lease, tenant_id, name, listener, seconds=time.monotonic() - start)

    def finish_step(self, lease: Lease, tenant_id: str, name: str, listener: Listener | None, *, seconds: float) -> None:
        """Record that the step is done. Until this commits, a restart does the step again."""
        self._mark(lease, tenant_id, name, StepState.DONE, listener, seconds=seconds)

    def finish(self, session: Session, tenant_id: str) -> None:
        """Mark the operation done, in the transaction that makes its result visible."""
        row = self._row(session, tenant_id)
        row.finished_at, row.error = self.clock(), None
        for step in row.steps:
            step.state = StepState.DONE

    def _mark(
        self,
        lease: Lease,
        tenant_id: str,
        name: str,
        state: StepState,
        listener: Listener | None,
        *,
        seconds: float,
        error: Exception | None = None,
    ) -> None:
        with self._fenced(lease) as session:
            row = self._row(session, tenant_id)
            step = next(each for each in row.steps if each.name == name)
            step.state = state
            step.seconds = seconds
            following = next((each for each in row.steps if each.position > step.position and each.state != StepState.DONE), None)
            if state is StepState.DONE and following is not None:
                following.state = StepState.RUNNING
            if error is not None:
                row.error = f"{name}: {type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
            progress = _progress(step)
        if listener is not None:
            listener(progress)

    @contextmanager
    def _fenced(self, lease: Lease) -> Iterator[Session]:
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            yield session

    @staticmethod
    def _row(session: Session, tenant_id: str) -> OperationRow:
        return session.scalars(_latest(tenant_id)).one()


def _latest(tenant_id: str) -> Select[OperationRow]:
    return select(OperationRow).where(OperationRow.tenant_id == tenant_id).order_by(OperationRow.id.desc()).limit(1)


def _progress(step: StepRow) -> StepProgress:
    return StepProgress(name=step.name, state=StepState(step.state), seconds=step.seconds)
