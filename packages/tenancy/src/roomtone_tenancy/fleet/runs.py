"""Runs in the catalog: who works on which tenant, what became of it, and what may be begun next."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .. import faults
from ..process import own_identity
from ..run_models import ProofRow, RunItemRow, RunRow
from .desk import Desk
from .rollout import ItemState, Rollout, RunState
from .works import Candidate, Result, Turn


@dataclass(kw_only=True)
class Runs:
    """The runs of one catalog, as one runner sees them.

    Args:
        ttl_s: how long a silent runner is believed alive, seconds. One that is seen to be dead on this host is replaced at once.
    """

    catalog: Engine
    clock: Callable[[], datetime]
    ttl_s: float
    me: str = field(default_factory=lambda: f"{own_identity()}#{uuid.uuid4().hex[:8]}")

    def running(self) -> RunRow | None:
        """The run that is running."""
        return self._row(RunRow.state == RunState.RUNNING)

    def latest(self) -> RunRow | None:
        """The newest run."""
        return self._row()

    def get(self, run_id: int) -> RunRow | None:
        """The run of this number."""
        return self._row(RunRow.id == run_id)

    def begin(self, target: str, rollout: Rollout, tenants: Sequence[Candidate]) -> int | None:
        """Write a run down; None when another runner has begun one meanwhile."""
        try:
            with Session(self.catalog) as session, session.begin():
                row = RunRow(target=target, settings=rollout.to_json(), state=RunState.RUNNING, created_at=self.clock())
                session.add(row)
                session.flush()
                items = [_item(row.id, position, tenant, rollout) for position, tenant in enumerate(tenants)]
                session.connection().execute(insert(RunItemRow), items)
                run_id = row.id
        except IntegrityError:
            return None
        faults.point("fleet.begun")
        return run_id

    def has_failures(self, run_id: int) -> bool:
        """Whether it gave a tenant up."""
        failed = select(RunItemRow.position).where(RunItemRow.run_id == run_id, RunItemRow.state == ItemState.QUARANTINED)
        with Session(self.catalog) as session:
            return session.scalar(failed.limit(1)) is not None

    def reopen(self, run_id: int) -> None:
        """Let a run that has ended go on, with those that failed."""
        with Session(self.catalog) as session, session.begin():
            session.execute(update(RunRow).where(RunRow.id == run_id).values(state=RunState.RUNNING, reason=None, finished_at=None))
            failed = update(RunItemRow).where(RunItemRow.run_id == run_id, RunItemRow.state == ItemState.QUARANTINED)
            session.execute(failed.values(state=ItemState.WAITING, attempts=0, not_before=None, finished_at=None))

    def stop(self, run_id: int, reason: str) -> bool:
        """Begin nothing more; whether it was running. What is being worked on is finished."""
        with Session(self.catalog) as session, session.begin():
            mine = update(RunRow).where(RunRow.id == run_id, RunRow.state == RunState.RUNNING)
            stopped = session.connection().execute(mine.values(state=RunState.STOPPED, reason=reason, finished_at=self.clock()))
            return stopped.rowcount == 1

    def turn(self, run_id: int, rollout: Rollout, results: Sequence[Result], want: int) -> Turn:
        """Record what was done and lease what is next, in one transaction."""
        with Session(self.catalog) as session, session.begin():
            desk = Desk(session=session, run_id=run_id, rollout=rollout, me=self.me, now=self.clock(), ttl_s=self.ttl_s)
            turn = desk.turn(results, want)
        if results:
            faults.point("fleet.recorded")
        if turn.works:
            faults.point("fleet.leased")
        return turn

    def renew(self, run_id: int) -> None:
        """Tell that this runner lives."""
        mine = update(RunItemRow).where(RunItemRow.run_id == run_id, RunItemRow.owner == self.me, RunItemRow.state == ItemState.LEASED)
        with self.catalog.begin() as connection:
            connection.execute(mine.values(leased_until=self.clock() + timedelta(seconds=self.ttl_s)))

    def release(self, run_id: int) -> None:
        """Give back what this runner leased and has no result of."""
        mine = update(RunItemRow).where(RunItemRow.run_id == run_id, RunItemRow.owner == self.me, RunItemRow.state == ItemState.LEASED)
        with self.catalog.begin() as connection:
            connection.execute(mine.values(state=ItemState.WAITING, owner=None, generation=RunItemRow.generation + 1))

    def proofs(self, run_id: int, server: str) -> dict[str, ProofRow]:
        """What is known of revisions on a server, by revision."""
        with Session(self.catalog) as session:
            wanted = select(ProofRow).where(ProofRow.run_id == run_id, ProofRow.server == server)
            return {row.revision: row for row in session.scalars(wanted)}

    def prove(self, run_id: int, server: str, revision: str, *, digest: str | None, reason: str | None) -> None:
        """Write down what a check found. The first word on a revision counts: others would say the same."""
        try:
            with Session(self.catalog) as session, session.begin():
                session.add(ProofRow(run_id=run_id, server=server, revision=revision, digest=digest, reason=reason))
        except IntegrityError:
            return
        faults.point("fleet.proved")

    def _row(self, *which: Any) -> RunRow | None:  # conditions
        with Session(self.catalog) as session:
            return session.scalar(select(RunRow).where(*which).order_by(RunRow.id.desc()).limit(1))


def _item(run_id: int, position: int, tenant: Candidate, rollout: Rollout) -> dict[str, Any]:  # columns
    return {
        "run_id": run_id,
        "position": position,
        "tenant_id": tenant.id,
        "server": tenant.server,
        "before": tenant.revision,
        "wave": rollout.wave_of(position),
        "state": ItemState.WAITING,
        "attempts": 0,
        "generation": 0,
    }
