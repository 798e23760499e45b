"""Runs in the catalog: who works on which tenant, what became of it, and what may be begun next."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .. import faults
from ..events import Event, RunFinished, TenantQuarantined, WaveStarted
from ..lifecycle import TenantState
from ..models import TenantRow
from ..process import is_surely_dead, own_identity
from ..run_models import ProofRow, RunItemRow, RunRow
from .rollout import ItemState, Rollout, RunState, WaveCount, judge
from .works import Candidate, Result, Turn, Work

ERROR_LENGTH_MAX = 2000
LOST_MAX = 20
NO_LIMIT = 1_000_000
MIGRATED_STATES = (TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED, TenantState.ARCHIVED)
_REAP_EVERY_S = 1.0
_LOST = "every worker that took it was lost"


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

    def reopen(self, run_id: int) -> None:
        """Let a stopped run go on, with those that failed."""
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
            # An UPDATE, since it locks on SQLite too: waves and limits are counted by one runner at a time.
            locked = session.connection().execute(update(RunRow).where(RunRow.id == run_id).values(id=RunRow.id))
            assert locked.rowcount == 1
            _hurry(session)
            told: list[Event] = []
            for result in results:
                if self._record(session, run_id, rollout, result):
                    told += result.events(run_id, rollout)
            turn = self._next(session, run_id, rollout, want, told)
            turn = replace(turn, events=tuple(told))
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

    def _record(self, session: Session, run_id: int, rollout: Rollout, result: Result) -> bool:
        """Only while the lease is ours, and whether it is: the one who took it over will say what is true."""
        again = result.is_to_be_tried_again(rollout)
        state = ItemState.WAITING if again else ItemState.QUARANTINED if result.error else ItemState.DONE
        if result.is_skipped:
            state = ItemState.SKIPPED
        now, error = self.clock(), result.error and result.error[:ERROR_LENGTH_MAX]
        mine = update(RunItemRow).where(
            RunItemRow.run_id == run_id,
            RunItemRow.position == result.work.position,
            RunItemRow.generation == result.work.generation,
            RunItemRow.state == ItemState.LEASED,
        )
        values: dict[str, Any] = {"state": state, "error": error, "way": result.way, "seconds": result.seconds, "owner": None}
        values["not_before"] = now + timedelta(seconds=rollout.pause_s(result.work.attempts)) if again else None
        values["finished_at"] = now if state.is_over else None
        if session.connection().execute(mine.values(values)).rowcount != 1:
            return False
        if result.is_skipped or again:
            return True
        known = {"migration_error": error} if error else {"migration_error": None, "revision": result.revision}
        session.execute(update(TenantRow).where(TenantRow.id == result.work.tenant_id).values(known))
        return True

    def _next(self, session: Session, run_id: int, rollout: Rollout, want: int, told: list[Event]) -> Turn:
        now = self.clock()
        if session.scalar(select(RunRow.state).where(RunRow.id == run_id)) != RunState.RUNNING:
            return Turn(is_over=True)
        self._reap(session, run_id, rollout, now, told)
        of_run = RunItemRow.run_id == run_id
        counted = select(RunItemRow.wave, RunItemRow.state, func.count()).where(of_run).group_by(RunItemRow.wave, RunItemRow.state)
        counts = [WaveCount(wave=wave, state=ItemState(state), count=count) for wave, state, count in session.execute(counted)]
        verdict = judge(rollout, counts)
        if verdict.ends_as is not None:
            ended = {"state": verdict.ends_as, "reason": verdict.reason, "finished_at": now}
            target = session.scalars(update(RunRow).where(RunRow.id == run_id).values(ended).returning(RunRow.target)).one()
            told.append(RunFinished(run=run_id, target=target, state=verdict.ends_as, reason=verdict.reason))
            return Turn(is_over=True)
        if want < 1:
            return Turn()
        waiting = (of_run, RunItemRow.wave == verdict.wave, RunItemRow.state == ItemState.WAITING)
        ripe = (*waiting, RunItemRow.not_before.is_(None) | (RunItemRow.not_before <= now))
        works: list[Work] = []
        for condition, room in self._limits(session, run_id, rollout):
            works += self._lease(session, now, (*ripe, *condition), min(room, want - len(works)))
        if works:
            wave = verdict.wave or 0
            if {it.state for it in counts if it.wave == wave} == {ItemState.WAITING} and all(it.attempts == 1 for it in works):
                told += self._wave_started(session, run_id, wave, works)
            return Turn(works=tuple(works))
        soonest = session.scalar(select(func.min(RunItemRow.not_before)).where(*waiting, RunItemRow.not_before > now))
        return Turn(wait_s=_REAP_EVERY_S if soonest is None else min(_REAP_EVERY_S, (soonest - now).total_seconds()))

    def _wave_started(self, session: Session, run_id: int, wave: int, works: Sequence[Work]) -> list[Event]:
        """Unless somebody took one of the wave before and was lost."""
        taken = select(func.count()).where(RunItemRow.run_id == run_id, RunItemRow.wave == wave, RunItemRow.attempts > 0)
        return [WaveStarted(run=run_id, wave=wave)] if session.scalar(taken) == len(works) else []

    def _limits(self, session: Session, run_id: int, rollout: Rollout) -> list[tuple[tuple[Any, ...], int]]:  # conditions
        """Which tenants may be taken, and how many of those."""
        if rollout.per_server is None:
            return [((), NO_LIMIT)]
        of_run = RunItemRow.run_id == run_id
        servers = session.scalars(select(RunItemRow.server).where(of_run).distinct().order_by(RunItemRow.server)).all()
        leased = select(RunItemRow.server, func.count()).where(of_run, RunItemRow.state == ItemState.LEASED).group_by(RunItemRow.server)
        busy: dict[str, int] = dict(session.execute(leased).all())
        return [((RunItemRow.server == server,), rollout.per_server - busy.get(server, 0)) for server in servers]

    def _lease(self, session: Session, now: datetime, which: tuple[Any, ...], limit: int) -> list[Work]:  # conditions
        if limit < 1:
            return []
        tenant = (TenantRow.key, TenantRow.server, TenantRow.database, TenantRow.state)
        wanted = select(RunItemRow, *tenant).join(TenantRow, TenantRow.id == RunItemRow.tenant_id).where(*which)
        free = wanted.order_by(RunItemRow.position).limit(limit).with_for_update(of=RunItemRow, skip_locked=True)
        works = []
        for row, key, server, database, state in session.execute(free):
            row.state, row.owner, row.leased_until = ItemState.LEASED, self.me, now + timedelta(seconds=self.ttl_s)
            row.generation += 1
            row.attempts += 1
            works.append(
                Work(
                    position=row.position,
                    tenant_id=row.tenant_id,
                    key=key,
                    server=server or row.server,
                    before=row.before,
                    database=database if state in MIGRATED_STATES else None,
                    generation=row.generation,
                    attempts=row.attempts,
                )
            )
        session.flush()
        return works

    def _reap(self, session: Session, run_id: int, rollout: Rollout, now: datetime, told: list[Event]) -> None:
        """Take the leases of the dead and of the silent away."""
        leased = (RunItemRow.run_id == run_id, RunItemRow.state == ItemState.LEASED)
        owners = session.scalars(select(RunItemRow.owner).where(*leased, RunItemRow.owner != self.me).distinct()).all()
        dead = [owner for owner in owners if owner is not None and is_surely_dead(owner.partition("#")[0])]
        lost = (*leased, RunItemRow.owner.in_(dead) | (RunItemRow.leased_until < now))
        again = {"state": ItemState.WAITING, "owner": None, "generation": RunItemRow.generation + 1}
        given_up = {**again, "state": ItemState.QUARANTINED, "error": _LOST, "finished_at": now}
        is_hopeless = RunItemRow.attempts >= rollout.attempts + LOST_MAX
        session.execute(update(RunItemRow).where(*lost, ~is_hopeless).values(again))
        gone = update(RunItemRow).where(*lost, is_hopeless).values(given_up).returning(RunItemRow.tenant_id, RunItemRow.attempts)
        for tenant_id, attempts in session.connection().execute(gone).all():
            key, server = session.execute(select(TenantRow.key, TenantRow.server).where(TenantRow.id == tenant_id)).one()
            told.append(TenantQuarantined(run=run_id, key=key, server=server or "", error=_LOST, attempts=attempts))


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


def _hurry(session: Session) -> None:
    """Commit without waiting for the disk: a record lost in a crash of the catalog means that a database is asked again."""
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SET LOCAL synchronous_commit = off"))
