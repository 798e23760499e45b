"""Databases beside a tenant's own: named in the catalog before they are made, and until they are seen to be gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from .. import faults
from ..events import CopyDropped
from ..key import opaque_name
from ..lease import Lease
from ..models import CopyRow, TenantRow
from ..provisioners import Place
from ..provisioning import Provisioning
from .copiers import Copier


class CopyState(StrEnum):
    """Filling: to take the place of the tenant's own. Retired: was the tenant's own, kept for a while in case it is asked for."""

    FILLING = "filling"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Retired:
    """A replaced database that is still there."""

    key: str
    server: str
    database: str
    drop_at: datetime


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The catalog's list of them."""

    of: Provisioning
    copier: Callable[[str | None], Copier]

    def name(self, session: Session, tenant_id: str, server: str) -> str:
        """Write down a new one that is going to be filled; returns its database."""
        database = opaque_name(self.of.registry.installation())
        values = {"tenant_id": tenant_id, "state": CopyState.FILLING, "drop_at": None, "created_at": self.of.clock()}
        session.add(CopyRow(database=database, server=server, **values))
        session.flush()
        return database

    def swap(self, session: Session, row: TenantRow, database: str, *, drop_at: datetime) -> None:
        """Let the tenant have the filled one, and keep its former one as retired."""
        copy = session.get_one(CopyRow, database)
        assert row.database is not None
        assert row.server is not None
        former = CopyRow(tenant_id=row.id, database=row.database, server=row.server, state=CopyState.RETIRED, drop_at=drop_at)
        former.created_at = self.of.clock()
        row.server, row.database = copy.server, copy.database
        session.delete(copy)
        session.flush()
        session.add(former)
        session.flush()

    def drop(self, lease: Lease, tenant_id: str, *states: CopyState) -> list[str]:
        """Drop the tenant's copies in these states and forget them; returns their names."""
        wanted = select(CopyRow.database, CopyRow.server).where(CopyRow.tenant_id == tenant_id, CopyRow.state.in_(states))
        with Session(self.of.catalog) as session:
            found = session.execute(wanted.order_by(CopyRow.database)).all()
        for database, server in found:
            self._drop(lease, tenant_id, database, server)
        return [database for database, _ in found]

    def drop_due(self, *, is_dry: bool = False) -> list[Retired]:
        """Drop the retired ones whose time is over, of all tenants; returns them."""
        due = [each for each in self.retired() if each.drop_at <= self.of.clock()]
        for each in () if is_dry else due:
            with Session(self.of.catalog) as session:
                tenant_id = session.get_one(CopyRow, each.database).tenant_id
            with self.of.leases.hold(f"tenant:{tenant_id}") as lease:
                self._drop(lease, tenant_id, each.database, each.server)
        return due

    def retired(self) -> list[Retired]:
        """Those that are kept, soonest to be dropped first."""
        wanted = select(CopyRow, TenantRow.key).join(TenantRow, TenantRow.id == CopyRow.tenant_id).where(CopyRow.state == CopyState.RETIRED)
        with Session(self.of.catalog) as session:
            return [
                Retired(key=key, server=row.server, database=row.database, drop_at=row.drop_at)
                for row, key in session.execute(wanted.order_by(CopyRow.drop_at, CopyRow.database))
                if row.drop_at is not None
            ]

    def _drop(self, lease: Lease, tenant_id: str, database: str, server: str) -> None:
        place, site = Place(database=database), self.of.sites[server]
        with site.provisioner.work(f"copy:{database}") as worker:
            worker.drop_database(database)
            faults.point("copy.dropped")
            if not worker.drop_roles(place):
                raise RuntimeError(f"something in another database still belongs to the roles of {database}")
        if left := self.copier(server).remains(place):
            raise RuntimeError(f"{', '.join(left)} should be gone and is not")
        with Session(self.of.catalog) as session, session.begin():
            lease.check(session)
            session.execute(delete(CopyRow).where(CopyRow.database == database, CopyRow.tenant_id == tenant_id))
            self.of.events.tell_after(session, CopyDropped(tenant_id=tenant_id, server=server, database=database))
