"""What there is to say of a run: its plan before, how far it is, and what failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from ..models import TenantRow
from ..run_models import ProofRow, RunItemRow, RunRow
from .rollout import ItemState, RunState

_RECENT = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One tenant that a run would take.

    Args:
        before: its revision in the catalog.
        revisions: what would be run, in order.
        wave: 0 is the canary.
    """

    key: str
    server: str
    before: str | None
    revisions: tuple[str, ...]
    wave: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What `run` would do now.

    Args:
        tenants: in the order in which they would be taken.
        templates: servers whose template would be made anew.
    """

    target: str
    tenants: tuple[Planned, ...]
    templates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A tenant that a run has given up; the next run takes it again."""

    key: str
    error: str
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStatus:
    """How far a run is.

    Args:
        id: its number; None when there was nothing to do, and so no run.
        reason: why it stopped.
        counts: tenants by their state in the run.
        ways: tenants done, by the way: `replay` or `alembic`.
        failures: those given up, in their order.
        working: keys that a runner has leased now.
        rate: tenants per second of late; None before the first.
        remaining_s: how long the rest takes at this rate; None when it is not known.
        unreplayed: why revisions are not replayed, by revision.
    """

    id: int | None
    target: str
    state: RunState
    reason: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    counts: Mapping[ItemState, int]
    ways: Mapping[str, int]
    failures: tuple[Failure, ...] = ()
    working: tuple[str, ...] = ()
    rate: float | None = None
    remaining_s: float | None = None
    unreplayed: Mapping[str, str]

    @property
    def total(self) -> int:
        """Tenants of the run."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """Tenants that are not over."""
        return sum(count for state, count in self.counts.items() if not state.is_over)

    @property
    def is_success(self) -> bool:
        """Whether it ended, and every tenant is at the target."""
        return self.state is RunState.DONE and not self.failures

    def to_json(self) -> dict[str, Any]:  # what JSON holds
        """For programs."""
        return {
            "run": self.id,
            "target": self.target,
            "state": self.state,
            "reason": self.reason,
            "is_success": self.is_success,
            "created_at": self.created_at and self.created_at.isoformat(),
            "finished_at": self.finished_at and self.finished_at.isoformat(),
            "total": self.total,
            "counts": {state: self.counts.get(state, 0) for state in ItemState},
            "ways": dict(self.ways),
            "failures": [{"tenant": it.key, "error": it.error, "attempts": it.attempts} for it in self.failures],
            "working": list(self.working),
            "tenants_per_second": self.rate,
            "remaining_seconds": self.remaining_s,
            "not_replayed": dict(self.unreplayed),
        }


def nothing_to_do(target: str) -> RunStatus:
    """Of a fleet that is at the target."""
    return RunStatus(id=None, target=target, state=RunState.DONE, counts={}, ways={}, unreplayed={})


def read(catalog: Engine, clock: Callable[[], datetime], row: RunRow) -> RunStatus:
    """The status of a run, from the catalog."""
    of_run = RunItemRow.run_id == row.id
    named = select(TenantRow.key, RunItemRow.error, RunItemRow.attempts).join(RunItemRow, RunItemRow.tenant_id == TenantRow.id)
    with Session(catalog) as session:
        counted = select(RunItemRow.state, func.count()).where(of_run).group_by(RunItemRow.state)
        counts = {ItemState(state): count for state, count in session.execute(counted)}
        ways = select(RunItemRow.way, func.count()).where(of_run, RunItemRow.way.is_not(None)).group_by(RunItemRow.way)
        failed = session.execute(named.where(of_run, RunItemRow.state == ItemState.QUARANTINED).order_by(RunItemRow.position)).all()
        working = session.execute(named.where(of_run, RunItemRow.state == ItemState.LEASED).order_by(RunItemRow.position)).all()
        ended = select(RunItemRow.finished_at).where(of_run, RunItemRow.finished_at.is_not(None))
        recent = session.scalars(ended.order_by(RunItemRow.finished_at.desc()).limit(_RECENT)).all()
        refused = select(ProofRow.revision, ProofRow.reason).where(ProofRow.run_id == row.id, ProofRow.reason.is_not(None))
        left = sum(count for state, count in counts.items() if not state.is_over)
        rate = _rate([at for at in recent if at is not None], row.finished_at or clock(), row.created_at)
        return RunStatus(
            id=row.id,
            target=row.target,
            state=RunState(row.state),
            reason=row.reason,
            created_at=row.created_at,
            finished_at=row.finished_at,
            counts=counts,
            ways={way: count for way, count in session.execute(ways) if way is not None},
            failures=tuple(Failure(key=it.key, error=it.error or "", attempts=it.attempts) for it in failed),
            working=tuple(it.key for it in working),
            rate=rate,
            remaining_s=left / rate if rate and left else None,
            unreplayed={it.revision: it.reason or "" for it in session.execute(refused)},
        )


def _rate(recent: list[datetime], now: datetime, began: datetime) -> float | None:
    """Of the newest, which are few enough to follow a change of pace."""
    if not recent:
        return None
    since = began if len(recent) < _RECENT else min(recent)
    return len(recent) / max((now - since).total_seconds(), 0.001)
