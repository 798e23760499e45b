"""Gives a tenant another key: a matter of the catalog alone, since nothing on a server bears the key."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .. import key as keys
from ..changes import Change
from ..errors import TenantExists
from ..events import TenantRenamed
from ..lifecycle import TenantState
from ..models import LifecycleRow, TenantRow
from ..provisioning import Provisioning
from ..registry import value_of_row
from ..tenant import Tenant


def rename(of: Provisioning, session: Session, key: str, new_key: str, *, actor: str) -> Tenant:
    """See `Tenancy.rename`."""
    keys.check(new_key)
    row = of.registry.locked(session, key)
    if new_key == key:
        return value_of_row(row)
    if session.scalar(select(TenantRow.id).where(TenantRow.key == new_key, TenantRow.state != TenantState.DELETED)) is not None:
        raise TenantExists(new_key)
    try:
        with session.begin_nested():
            row.key, row.epoch, row.updated_at = new_key, row.epoch + 1, of.clock()
            session.flush()
    except IntegrityError as error:  # in this moment, by somebody else
        raise TenantExists(new_key) from error
    state = TenantState(row.state)
    log = {"tenant_id": row.id, "at": of.clock(), "before": state, "after": state, "reason": f"renamed from {key}", "actor": actor}
    session.add(LifecycleRow(**log))
    session.flush()
    session.refresh(row)
    of.registry.forget_after(session, row)
    of.registry.lookups.changes.publish_after(session, Change(key=key))
    renamed = value_of_row(row)
    of.events.tell_after(session, TenantRenamed(tenant=renamed, before=key))
    return renamed
