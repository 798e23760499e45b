"""One runner's turn, in one transaction of the catalog: what was done is recorded, the dead are replaced, the next tenants are leased.

All runners wait for each other here, so it takes few statements, however many tenants it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from ..events import Event, RunFinished, TenantQuarantined, WaveStarted
from ..lifecycle import TenantState
from ..models import TenantRow
from ..process import is_surely_dead
from ..run_models import RunItemRow, RunRow
from .rollout import ItemState, Rollout, RunState, WaveCount, judge
from .works import Result, Turn, Work

ERROR_LENGTH_MAX = 2000
LOST_MAX = 20
NO_LIMIT = 1_000_000
MIGRATED_STATES = (TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED, TenantState.ARCHIVED)
REAP_EVERY_S = 1.0
_LOST = "every worker that took it was lost"

_ONE_ITEM = (RunItemRow.run_id == bindparam("of_run"), RunItemRow.position == bindparam("at"))
_RECORD = update(RunItemRow).where(*_ONE_ITEM).values(owner=None)
_TAKE = update(RunItemRow).where(*_ONE_ITEM).values(state=ItemState.LEASED)
_KNOW = update(TenantRow).where(TenantRow.id == bindparam("of_tenant"))


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where a runner has its turn.

    Args:
        me: the runner.
        ttl_s: how long a silent runner is believed alive, seconds.
        told: what is to be told when the turn is committed.
    """

    session: Session
    run_id: int
    rollout: Rollout
    me: str
    now: datetime
    ttl_s: float
    told: list[Event] = field(default_factory=list, init=False)

    def turn(self, results: Sequence[Result], want: int) -> Turn:
        """See `Runs.turn`."""
        state = self._lock()
        if results:
            self._record(results)
        turn = self._next(want) if state == RunState.RUNNING else Turn(is_over=True)
        return replace(turn, events=tuple(self.told))

    def _lock(self) -> str:
        """An UPDATE, since it locks on SQLite too: waves and limits are counted by one runner at a time.

        The turn is committed without waiting for the disk: a record lost in a crash of the catalog means that a database is asked again.
        """
        hurry = [func.set_config("synchronous_commit", "off", True)] if self.session.get_bind().dialect.name == "postgresql" else []
        mine = update(RunRow).where(RunRow.id == self.run_id).values(id=RunRow.id)
        row = self.session.connection().execute(mine.returning(RunRow.state, *hurry)).one()
        return str(row[0])

    # ── What was done ────────────────────────────────────────────────────

    def _record(self, results: Sequence[Result]) -> None:
        """Only while the lease is ours, which nobody else can change now: the one who took it over will say what is true."""
        mine = select(RunItemRow.position, RunItemRow.generation).where(
            RunItemRow.run_id == self.run_id, RunItemRow.owner == self.me, RunItemRow.state == ItemState.LEASED
        )
        leases = {(position, generation) for position, generation in self.session.execute(mine)}
        ours = [it for it in results if (it.work.position, it.work.generation) in leases]
        self.told.extend(event for it in ours for event in it.events(self.run_id, self.rollout))
        self._each(_RECORD, [self._outcome(it) for it in ours])
        over = [it for it in ours if not it.is_skipped and not it.is_to_be_tried_again(self.rollout)]
        done = [{"of_tenant": it.work.tenant_id, "migration_error": None, "revision": it.revision} for it in over if it.error is None]
        failed = [{"of_tenant": it.work.tenant_id, "migration_error": _text(it)} for it in over if it.error is not None]
        self._each(_KNOW, done)
        self._each(_KNOW, failed)

    def _outcome(self, result: Result) -> dict[str, Any]:  # columns
        again = result.is_to_be_tried_again(self.rollout)
        state = ItemState.WAITING if again else ItemState.QUARANTINED if result.error else ItemState.DONE
        if result.is_skipped:
            state = ItemState.SKIPPED
        return {
            "of_run": self.run_id,
            "at": result.work.position,
            "state": state,
            "error": _text(result),
            "way": result.way,
            "seconds": result.seconds,
            "not_before": self.now + timedelta(seconds=self.rollout.pause_s(result.work.attempts)) if again else None,
            "finished_at": self.now if state.is_over else None,
        }

    def _each(self, statement: Any, rows: list[dict[str, Any]]) -> None:  # an UPDATE, and its columns
        """One message for all of them, where the driver can."""
        if rows:
            named = rows[0].keys() - {"of_run", "at", "of_tenant"}
            self.session.connection().execute(statement.values({name: bindparam(name) for name in named}), rows)

    # ── What is next ─────────────────────────────────────────────────────

    def _next(self, want: int) -> Turn:
        counted = self._count()
        if self._reap(counted):
            counted = self._count()
        verdict = judge(self.rollout, [WaveCount(wave=it.wave, state=ItemState(it.state), count=it.number) for it in counted])
        if verdict.ends_as is not None:
            ended = {"state": verdict.ends_as, "reason": verdict.reason, "finished_at": self.now}
            mine = update(RunRow).where(RunRow.id == self.run_id).values(ended).returning(RunRow.target)
            target = self.session.connection().scalars(mine).one()
            self.told.append(RunFinished(run=self.run_id, target=target, state=verdict.ends_as, reason=verdict.reason))
            return Turn(is_over=True)
        if want < 1:
            return Turn()
        waiting = (RunItemRow.run_id == self.run_id, RunItemRow.wave == verdict.wave, RunItemRow.state == ItemState.WAITING)
        ripe = (*waiting, RunItemRow.not_before.is_(None) | (RunItemRow.not_before <= self.now))
        works: list[Work] = []
        for condition, room in self._limits():
            works += self._lease((*ripe, *condition), min(room, want - len(works)))
        if works:
            wave = verdict.wave or 0
            if {it.state for it in counted if it.wave == wave} == {ItemState.WAITING} and all(it.attempts == 1 for it in works):
                self._tell_of_wave(wave, works)
            return Turn(works=tuple(works))
        soonest = self.session.scalar(select(func.min(RunItemRow.not_before)).where(*waiting, RunItemRow.not_before > self.now))
        return Turn(wait_s=REAP_EVERY_S if soonest is None else min(REAP_EVERY_S, (soonest - self.now).total_seconds()))

    def _tell_of_wave(self, wave: int, works: Sequence[Work]) -> None:
        """That it begins, unless somebody took one of it before and was lost."""
        taken = select(func.count()).where(RunItemRow.run_id == self.run_id, RunItemRow.wave == wave, RunItemRow.attempts > 0)
        if self.session.scalar(taken) == len(works):
            self.told.append(WaveStarted(run=self.run_id, wave=wave))

    def _count(self) -> Sequence[Any]:  # rows of `by`, number and until
        """How many tenants of each wave are in each state; those that are leased, by runner."""
        by = (RunItemRow.wave, RunItemRow.state, RunItemRow.owner)
        until = func.min(RunItemRow.leased_until).label("until")
        counted = select(*by, func.count().label("number"), until).where(RunItemRow.run_id == self.run_id).group_by(*by)
        return self.session.execute(counted).all()

    def _reap(self, counted: Sequence[Any]) -> bool:
        """Take the leases of the dead and of the silent away; whether there were any."""
        leased = [it for it in counted if it.state == ItemState.LEASED]
        owners = {it.owner for it in leased if it.owner is not None and it.owner != self.me}
        dead = [owner for owner in owners if is_surely_dead(owner.partition("#")[0])]
        if not dead and not any(it.until < self.now for it in leased):
            return False
        silent = RunItemRow.owner.in_(dead) | (RunItemRow.leased_until < self.now)
        lost = (RunItemRow.run_id == self.run_id, RunItemRow.state == ItemState.LEASED, silent)
        again = {"state": ItemState.WAITING, "owner": None, "generation": RunItemRow.generation + 1}
        given_up = {**again, "state": ItemState.QUARANTINED, "error": _LOST, "finished_at": self.now}
        hopeless = RunItemRow.attempts >= self.rollout.attempts + LOST_MAX
        self.session.execute(update(RunItemRow).where(*lost, ~hopeless).values(again))
        gone = update(RunItemRow).where(*lost, hopeless).values(given_up).returning(RunItemRow.tenant_id, RunItemRow.attempts)
        for tenant_id, attempts in self.session.connection().execute(gone).all():
            key, server = self.session.execute(select(TenantRow.key, TenantRow.server).where(TenantRow.id == tenant_id)).one()
            self.told.append(TenantQuarantined(run=self.run_id, key=key, server=server or "", error=_LOST, attempts=attempts))
        return True

    def _limits(self) -> list[tuple[tuple[Any, ...], int]]:  # conditions
        """Which tenants may be taken, and how many of those."""
        if self.rollout.per_server is None:
            return [((), NO_LIMIT)]
        of_run = RunItemRow.run_id == self.run_id
        servers = self.session.scalars(select(RunItemRow.server).where(of_run).distinct().order_by(RunItemRow.server)).all()
        leased = select(RunItemRow.server, func.count()).where(of_run, RunItemRow.state == ItemState.LEASED).group_by(RunItemRow.server)
        busy: dict[str, int] = dict(self.session.execute(leased).all())
        return [((RunItemRow.server == server,), self.rollout.per_server - busy.get(server, 0)) for server in servers]

    def _lease(self, which: tuple[Any, ...], limit: int) -> list[Work]:  # conditions
        if limit < 1:
            return []
        item = (RunItemRow.position, RunItemRow.tenant_id, RunItemRow.server, RunItemRow.before, RunItemRow.generation, RunItemRow.attempts)
        tenant = (TenantRow.key, TenantRow.server.label("placed"), TenantRow.database, TenantRow.state)
        wanted = select(*item, *tenant).join(TenantRow, TenantRow.id == RunItemRow.tenant_id).where(*which)
        free = wanted.order_by(RunItemRow.position).limit(limit).with_for_update(of=RunItemRow, skip_locked=True)
        works = [
            Work(
                position=row.position,
                tenant_id=row.tenant_id,
                key=row.key,
                server=row.placed or row.server,
                before=row.before,
                database=row.database if row.state in MIGRATED_STATES else None,
                generation=row.generation + 1,
                attempts=row.attempts + 1,
            )
            for row in self.session.execute(free)
        ]
        common = {"of_run": self.run_id, "owner": self.me, "leased_until": self.now + timedelta(seconds=self.ttl_s)}
        self._each(_TAKE, [{**common, "at": it.position, "generation": it.generation, "attempts": it.attempts} for it in works])
        return works


def _text(result: Result) -> str | None:
    return result.error and result.error[:ERROR_LENGTH_MAX]
