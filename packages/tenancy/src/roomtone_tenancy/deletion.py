"""Unmakes tenants: fenced first, dropped second, forgotten only when nothing is left."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.orm import Session

from . import faults
from .errors import DeletionFailed, OperationBusy
from .lease import Lease
from .lifecycle import TenantState
from .models import CredentialRow, DomainClaimRow, DomainRow
from .operations import Attempt, Listener
from .provisioners import Place, Worker
from .provisioning import Provisioning
from .sites import Site
from .tenant import Tenant

STEPS = ("disconnection", "database", "roles", "removal")


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Takes back what `Provisioning` made, also when that was not finished."""

    made_by: Provisioning

    def run(self, tenant: Tenant, listener: Listener | None) -> None:
        """Bring a tenant to deleted; see `Tenancy.delete`."""
        of = self.made_by
        site = of.sites[tenant.server]
        assert tenant.database is not None
        lock = f"tenant:{tenant.id}"
        with of.leases.hold(lock) as lease, ExitStack() as stack:
            try:
                worker = stack.enter_context(site.provisioner.work(lock))
            except OperationBusy:
                raise
            except Exception as error:
                raise DeletionFailed(tenant.key, "connection", f"{type(error).__name__}: {error}") from error
            attempt = self._fence(tenant, lease, listener, is_instant=site.provisioner.is_instant)
            for name in attempt.steps:
                try:
                    with attempt.step(name):
                        self._do(name, attempt, site, worker)
                except Exception as error:
                    raise DeletionFailed(tenant.key, name, f"{type(error).__name__}: {error}") from error

    def _fence(self, tenant: Tenant, lease: Lease, listener: Listener | None, *, is_instant: bool) -> Attempt:
        """From here on no session is given out. Every process knows when its cached answer ends."""
        of = self.made_by
        with Session(of.catalog) as session, session.begin():
            lease.check(session)
            if of.registry.locked(session, tenant.key).state != TenantState.DELETING:
                of.registry.move(session, tenant.key, TenantState.DELETING, reason="deletion began", actor="system")
                of.operations.want(session, tenant.id, "delete", STEPS)
            return of.operations.begin(session, lease, tenant, listener, kind="delete", is_instant=is_instant)

    def _do(self, step: str, attempt: Attempt, site: Site, worker: Worker) -> None:
        place = Place(database=attempt.tenant.database or "")
        match step:
            case "disconnection":
                site.engines.forget(attempt.tenant.id)
            case "database":
                worker.drop_database(place.database)
            case "roles":
                if not worker.drop_roles(place):
                    raise RuntimeError("something in another database still belongs to the tenant's roles")
            case "removal":
                self._remove(attempt)

    def _remove(self, attempt: Attempt) -> None:
        of, tenant = self.made_by, attempt.tenant
        with Session(of.catalog) as session, session.begin():
            attempt.lease.check(session)
            attempt.finish(session)
            row = of.registry.locked(session, tenant.key)
            of.registry.move(session, tenant.key, TenantState.DELETED, reason="deleted", actor="system")
            row.database = None
            session.execute(delete(DomainRow).where(DomainRow.tenant_id == tenant.id))
            session.execute(delete(DomainClaimRow).where(DomainClaimRow.tenant_id == tenant.id))
            session.execute(delete(CredentialRow).where(CredentialRow.tenant_id == tenant.id))
            faults.point("removal.written")
