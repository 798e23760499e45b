"""What the catalog counts at one moment, in a handful of queries: for metrics, and for whoever wants one look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from .fleet.desk import MIGRATED_STATES
from .fleet.rollout import ItemState, RunState
from .lifecycle import TenantState
from .lookups import Lookups
from .models import OperationRow, TenantRow
from .provisioning import Provisioning
from .run_models import RunItemRow, RunRow
from .spares import SpareStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantCount:
    """Tenants of one server in one state.

    Args:
        server: None for those that have none.
        behind: those of them that a migration of the fleet would take.
    """

    server: str | None
    state: TenantState
    tenants: int
    behind: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCount:
    """The newest run over the fleet.

    Args:
        tenants: by their state in it.
    """

    run: int
    target: str
    state: RunState
    tenants: Mapping[ItemState, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Census:
    """The counts.

    Args:
        tenants: deleted ones left out.
        unfinished: operations that are wished for, under way or interrupted, by kind.
        run: None when there was none.
    """

    tenants: tuple[TenantCount, ...]
    unfinished: Mapping[str, int]
    spares: tuple[SpareStatus, ...]
    run: RunCount | None


def take_census(lookups: Lookups, of: Provisioning) -> Census:
    """See `Tenancy.census`."""
    head, names = of.revisions.head, list(of.spares.names())

    def count(connection: Connection) -> Census:
        return Census(
            tenants=_tenants(connection, head),
            unfinished=_unfinished(connection),
            spares=tuple(of.spares.counted(connection, names)),
            run=_run(connection),
        )

    return lookups.read(count)


def _tenants(connection: Connection, head: str) -> tuple[TenantCount, ...]:
    is_behind = TenantRow.state.in_(MIGRATED_STATES) & TenantRow.revision.is_distinct_from(head)
    counted = (
        select(TenantRow.server, TenantRow.state, func.count(), func.sum(case((is_behind, 1), else_=0)))
        .where(TenantRow.state != TenantState.DELETED)
        .group_by(TenantRow.server, TenantRow.state)
        .order_by(TenantRow.server, TenantRow.state)
    )
    return tuple(
        TenantCount(server=server, state=TenantState(state), tenants=tenants, behind=behind)
        for server, state, tenants, behind in connection.execute(counted)
    )


def _unfinished(connection: Connection) -> dict[str, int]:
    counted = select(OperationRow.kind, func.count()).where(OperationRow.finished_at.is_(None)).group_by(OperationRow.kind)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _run(connection: Connection) -> RunCount | None:
    run = connection.execute(select(RunRow.id, RunRow.target, RunRow.state).order_by(RunRow.id.desc()).limit(1)).first()
    if run is None:
        return None
    counted = select(RunItemRow.state, func.count()).where(RunItemRow.run_id == run.id).group_by(RunItemRow.state)
    tenants = {ItemState(state): count for state, count in connection.execute(counted)}
    return RunCount(run=run.id, target=run.target, state=RunState(run.state), tenants=tenants)
