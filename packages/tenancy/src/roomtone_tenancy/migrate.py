"""Brings a fleet to the newest revision: templates first, then the tenants that the catalog says are behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from .key import PREFIX
from .lease import Lease
from .lifecycle import TenantState
from .models import TenantRow
from .operations import ERROR_LENGTH_MAX
from .provisioners import Place
from .provisioning import Provisioning

MIGRATED_STATES = (TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED, TenantState.ARCHIVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationReport:
    """What one run did.

    Args:
        head: the revision that everything should be at.
        migrated: keys of the tenants brought there by this run, in order.
        failed: why, by key; those stay as they were and the next run tries them again.
    """

    head: str
    migrated: tuple[str, ...]
    failed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All tenants of a catalog."""

    of: Provisioning

    def migrate(self, on_tenant: Callable[[str, str | None], None] | None) -> MigrationReport:
        """See `Tenancy.migrate`."""
        head = self.of.revisions.head
        migrated: list[str] = []
        failed: dict[str, str] = {}
        with self.of.leases.hold("fleet") as lease:
            for name, site in self.of.sites.by_name.items():
                self.of.templates.ensure(name, site.provisioner)
                self.of.templates.sweep(name, site.provisioner)
            for tenant_id, key in self.behind(head):
                error = self._migrate(tenant_id, lease)
                if error is None:
                    migrated.append(key)
                else:
                    failed[key] = error
                if on_tenant is not None:
                    on_tenant(key, error)
        self.of.registry.forget()
        return MigrationReport(head=head, migrated=tuple(migrated), failed=failed)

    def orphans(self) -> list[str]:
        """See `Tenancy.orphans`. What is known is read before and after, since others make and drop databases meanwhile."""
        prefix = f"{PREFIX}{self.of.registry.installation()}_"
        known = self._databases()
        found = {name for site in self.of.sites.by_name.values() for name in site.provisioner.names(prefix)}
        known |= self._databases()
        return sorted(found - {name for database in known for name in (database, *Place(database=database).roles)})

    def _databases(self) -> set[str]:
        """All that the catalog knows; a spare becomes a tenant's and never the reverse, hence the order."""
        of = self.of
        return of.templates.names() | of.spares.databases() | {each.database for each in of.registry.all() if each.database}

    def behind(self, head: str) -> list[tuple[str, str]]:
        """Tenants not at head, oldest first. Those being provisioned end at head by themselves."""
        wanted = select(TenantRow.id, TenantRow.key).where(TenantRow.revision.is_distinct_from(head), TenantRow.state.in_(MIGRATED_STATES))
        with Session(self.of.catalog) as session:
            return [(row.id, row.key) for row in session.execute(wanted.order_by(TenantRow.created_at, TenantRow.id))]

    def _migrate(self, tenant_id: str, lease: Lease) -> str | None:
        """Migrate one tenant, unless it was deleted meanwhile; returns why it failed."""
        with Session(self.of.catalog) as session:
            row = session.get_one(TenantRow, tenant_id)
            server, database, state = row.server, row.database, row.state
        if state not in MIGRATED_STATES or database is None:
            return None
        revision, error = None, None
        try:
            with self.of.sites[server].provisioner.owner_connection(Place(database=database)) as connection:
                revision = self.of.revisions.upgrade(connection)
        except Exception as problem:  # noqa: BLE001 -- whatever a revision raises, the other tenants go on
            error = f"{type(problem).__name__}: {problem}"[:ERROR_LENGTH_MAX]
        with Session(self.of.catalog) as session, session.begin():
            lease.check(session)
            values = {"migration_error": error} if error else {"migration_error": None, "revision": revision}
            session.execute(update(TenantRow).where(TenantRow.id == tenant_id).values(values))
        return error
