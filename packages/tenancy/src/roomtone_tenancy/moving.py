"""A tenant's moves from state to state, as rows: the statement that makes one, and the log that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, update

from .lifecycle import TenantState
from .models import LifecycleRow, TenantRow
from .tenant import Tenant

_LOG = insert(LifecycleRow)
_ADVANCE = (
    update(TenantRow)
    .where(TenantRow.id == bindparam("tenant"), TenantRow.state == bindparam("before"))
    .values(state=bindparam("after"), epoch=TenantRow.epoch + 1, updated_at=bindparam("at"))
    .returning(TenantRow.epoch)
)
_TOUCH = (
    update(TenantRow)
    .where(TenantRow.id == bindparam("tenant"), TenantRow.state == bindparam("before"))
    .values(updated_at=bindparam("at"))
    .returning(TenantRow.epoch)
)


def advance(connection: Connection, tenant: Tenant, after: TenantState, at: datetime) -> int | None:
    """Let the tenant be in another state, in one statement; its new epoch, or None when its state is not what was read any more."""
    change = {"tenant": tenant.id, "before": tenant.state, "after": after, "at": at}
    epoch: int | None = connection.scalar(_ADVANCE, change)
    return epoch


def is_unchanged(connection: Connection, tenant: Tenant, at: datetime) -> bool:
    """Whether the tenant is in the state that was read; it stays there until the transaction ends."""
    return connection.scalar(_TOUCH, {"tenant": tenant.id, "before": tenant.state, "at": at}) is not None


def log(
    connection: Connection,
    tenant_id: str,
    moves: Sequence[tuple[TenantState, str]],
    *,
    at: datetime,
    before: TenantState | None = None,
    actor: str = "system",
) -> None:
    """Write down one move after the other, with its reason."""
    states = [before, *(after for after, _ in moves)]
    rows = [
        {"tenant_id": tenant_id, "at": at, "before": came_from, "after": after, "reason": reason, "actor": actor}
        for came_from, (after, reason) in zip(states, moves, strict=False)
    ]
    connection.execute(_LOG, rows)
