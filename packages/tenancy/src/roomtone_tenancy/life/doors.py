"""Has each tenant's database itself refuse what the tenant's state refuses, and notes that it was told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from .. import faults
from ..errors import OperationBusy
from ..events import DoorSet
from ..lease import Lease
from ..lifecycle import TenantState
from ..models import TenantRow
from ..provisioners import Place
from ..provisioning import Provisioning
from ..registry import value_of_row
from .copiers import Copier, Door

_PENDING = "roomtone_tenancy_doors"
SETTLED_STATES = {
    TenantState.ACTIVE: Door.OPEN,
    TenantState.READ_ONLY: Door.READ_ONLY,
    TenantState.SUSPENDED: Door.CLOSED,
    TenantState.ARCHIVED: Door.CLOSED,
}
PASSES_MAX = 5
_log = logging.getLogger(__name__)


def wanted(row: TenantRow) -> Door:
    """The door that the catalog asks for."""
    return Door.FENCED if row.is_fenced else SETTLED_STATES[TenantState(row.state)]


@dataclass(frozen=True, kw_only=True)
class Doors:
    """The catalog says first, the database is told after the commit; what a kill cuts off in between is found again by `pending`."""

    of: Provisioning
    copier: Callable[[str | None], Copier]

    def changed(self, session: Session, tenant_id: str) -> None:
        """Tell the database when the host's transaction commits, if there is news. If that fails it is logged, and `pending` has it."""
        row = session.get_one(TenantRow, tenant_id)
        if row.door == wanted(row):
            return
        row.door = None
        session.flush()
        if _PENDING not in session.info:
            session.info[_PENDING] = []
            event.listen(session, "after_commit", self._settle_pending)
            event.listen(session, "after_rollback", lambda rolled_back: rolled_back.info[_PENDING].clear())
        session.info[_PENDING].append(tenant_id)

    def settle(self, tenant_id: str) -> None:
        """Tell the database now.

        Raises:
            OperationBusy: an operation on the tenant goes on; it tells the database at its end.
            Whatever the server answers.
        """
        with self.of.leases.hold(f"tenant:{tenant_id}") as lease:
            self.settle_under(lease, tenant_id)

    def settle_under(self, lease: Lease, tenant_id: str) -> None:
        """As `settle`, for who has the tenant's lease."""
        for _ in range(PASSES_MAX):  # the state may change while the database is told
            with Session(self.of.catalog) as session:
                row = session.get_one(TenantRow, tenant_id)
                if row.state not in SETTLED_STATES or row.door is not None or row.database is None:
                    return
                door, server, place, epoch = wanted(row), row.server, Place(database=row.database), row.epoch
            with self.of.spans.span("door", tenant=row.key, door=door):
                self.copier(server).set_door(place, door)
            with Session(self.of.catalog) as session, session.begin():
                lease.check(session)
                row = session.get_one(TenantRow, tenant_id, with_for_update=True)
                if row.epoch == epoch:
                    row.door = door
                    faults.point("door.unrecorded")
                    self.of.events.tell_after(session, DoorSet(tenant=value_of_row(row), door=door))
                    return
        raise OperationBusy(f"tenant {tenant_id}", owner="who changes its state all the time")

    def pending(self) -> list[str]:
        """Keys of tenants whose database may not know their state, by key."""
        unsettled = select(TenantRow.key).where(TenantRow.door.is_(None), TenantRow.state.in_(SETTLED_STATES)).order_by(TenantRow.key)
        with Session(self.of.catalog) as session:
            return list(session.scalars(unsettled))

    def settle_key(self, key: str) -> None:
        """As `settle`, by key.

        Raises:
            UnknownTenant: there is none.
        """
        tenant = self.of.registry.fresh(key)
        self.settle(tenant.id)

    def _settle_pending(self, session: Session) -> None:
        pending, session.info[_PENDING] = session.info[_PENDING], []
        for tenant_id in dict.fromkeys(pending):
            try:
                self.settle(tenant_id)
            except OperationBusy:
                _log.info("An operation goes on with tenant %s: it will tell its database of the new state", tenant_id)
            except Exception:  # noqa: BLE001 -- the state is committed, and every session of ours obeys it
                _log.warning("The database of tenant %s was not told of its state: run resume", tenant_id, exc_info=True)
