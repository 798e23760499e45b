"""Unmakes tenants: fenced first, backed up a last time, dropped, seen to be gone, forgotten only then."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from . import faults
from .errors import DeletionFailed, OperationBusy
from .events import DeletionPlanned, TenantDeleted
from .key import random_text
from .lease import Lease
from .life import facts
from .life.backups import write_backup
from .life.copiers import Door
from .life.copies import CopyState
from .life.errors import GraceNotOver
from .life.workshop import Workshop
from .lifecycle import TenantState
from .models import CredentialRow, DomainClaimRow, DomainRow, LifecycleRow, TenantRow
from .operations import Attempt, Listener
from .provisioners import Place, Worker
from .provisioning import Provisioning
from .sites import Site
from .tenant import Tenant

STEPS = ("disconnection", "backup", "database", "roles", "copies", "absence", "removal")
PURPOSE = "deletion"


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Takes back what `Provisioning` made, also when that was not finished."""

    made_by: Provisioning
    shop: Workshop

    def plan(self, session: Session, key: str, *, grace: timedelta, reason: str, actor: str) -> Tenant:
        """See `Tenancy.delete_later`."""
        registry = self.made_by.registry
        state = registry.locked(session, key).state
        if state not in (TenantState.SUSPENDED, TenantState.ARCHIVED):
            registry.move(session, key, TenantState.SUSPENDED, reason=reason, actor=actor)
        tenant = registry.move(session, key, TenantState.ARCHIVED, reason=reason, actor=actor)
        row = session.get_one(TenantRow, tenant.id)
        row.delete_at = self.made_by.clock() + grace
        self.made_by.events.tell_after(session, DeletionPlanned(tenant=tenant, delete_at=row.delete_at))
        self.shop.doors.changed(session, tenant.id)
        return tenant

    def due(self) -> list[str]:
        """See `Tenancy.due_for_deletion`."""
        wanted = select(TenantRow.key).where(TenantRow.delete_at <= self.made_by.clock(), TenantRow.state == TenantState.ARCHIVED)
        with Session(self.made_by.catalog) as session:
            return list(session.scalars(wanted.order_by(TenantRow.delete_at, TenantRow.key)))

    def proof(self, tenant_id: str) -> dict[str, Any] | None:  # JSON values
        """See `Tenancy.proof_of_deletion`."""
        with Session(self.made_by.catalog) as session:
            last = select(LifecycleRow.proof).where(LifecycleRow.tenant_id == tenant_id, LifecycleRow.proof.is_not(None))
            proof = session.scalar(last.order_by(LifecycleRow.id.desc()).limit(1))
        if proof is None or not facts.is_true(self.shop.vault, proof, tenant=tenant_id, purpose=PURPOSE):
            return None
        return {name: value for name, value in proof.items() if name != facts.SEAL}

    def run(self, tenant: Tenant, listener: Listener | None, *, at_once: bool, without_backup: bool) -> None:
        """Bring a tenant to deleted; see `Tenancy.delete`."""
        of = self.made_by
        site = of.sites[tenant.server]
        assert tenant.database is not None
        lock = f"tenant:{tenant.id}"
        with of.spans.span("delete", tenant=tenant.key), of.leases.hold(lock) as lease, ExitStack() as stack:
            try:
                worker = stack.enter_context(site.provisioner.work(lock))
            except OperationBusy:
                raise
            except Exception as error:
                raise DeletionFailed(tenant.key, "connection", f"{type(error).__name__}: {error}") from error
            attempt = self._fence(tenant, lease, listener, is_instant=site.provisioner.is_instant, at_once=at_once)
            for name in attempt.steps:
                try:
                    with attempt.step(name):
                        if name != "backup" or not without_backup:
                            self._do(name, attempt, site, worker)
                except Exception as error:
                    raise DeletionFailed(tenant.key, name, f"{type(error).__name__}: {error}") from error

    def _fence(self, tenant: Tenant, lease: Lease, listener: Listener | None, *, is_instant: bool, at_once: bool) -> Attempt:
        """From here on no session is given out. Every process knows when its cached answer ends."""
        of = self.made_by
        with Session(of.catalog) as session, session.begin():
            lease.check(session)
            row = of.registry.locked(session, tenant.key)
            if row.state != TenantState.DELETING:
                if row.delete_at is not None and row.delete_at > of.clock() and not at_once:
                    raise GraceNotOver(tenant.key, until=row.delete_at)
                is_made = row.state not in (TenantState.REQUESTED, TenantState.PROVISIONING)
                skipped = () if is_made and self.shop.store is not None else ("backup",)
                of.registry.move(session, tenant.key, TenantState.DELETING, reason="deletion began", actor="system")
                of.operations.want(session, tenant.id, "delete", [step for step in STEPS if step not in skipped])
            return of.operations.begin(session, lease, tenant, listener, kind="delete", is_instant=is_instant)

    def _do(self, step: str, attempt: Attempt, site: Site, worker: Worker) -> None:
        place = Place(database=attempt.tenant.database or "")
        match step:
            case "disconnection":
                site.engines.forget(attempt.tenant.id)
                self.shop.copier(site.name).set_door(place, Door.RETIRED)
            case "backup" if "backup" in attempt.details:
                pass  # an earlier attempt made it, and may have dropped what it is of
            case "backup":
                backup = f"{self.made_by.clock():%Y%m%dT%H%M%S.%fZ}-{random_text(8)}"
                write_backup(self.shop, attempt, backup)
                attempt.note(backup=backup)
            case "database":
                worker.drop_database(place.database)
            case "roles":
                if not worker.drop_roles(place):
                    raise RuntimeError("something in another database still belongs to the tenant's roles")
            case "copies":
                dropped = self.shop.copies.drop(attempt.lease, attempt.tenant.id, CopyState.FILLING, CopyState.RETIRED)
                attempt.note(copies=[*attempt.details.get("copies", []), *dropped])
            case "absence":
                self._see_absent(attempt, site, place)
            case "removal":
                self._remove(attempt)

    def _see_absent(self, attempt: Attempt, site: Site, place: Place) -> None:
        """Look once more, and seal what was seen."""
        tenant, of = attempt.tenant, self.made_by
        if left := self.shop.copier(site.name).remains(place):
            raise RuntimeError(f"{', '.join(left)} should be gone and is not")
        roles = list(place.roles) if site.provisioner.has_roles else []
        seen: dict[str, Any] = {"tenant_id": tenant.id, "key": tenant.key, "server": site.name, "database": place.database, "roles": roles}
        seen |= {"copies": attempt.details.get("copies", []), "backup": attempt.details.get("backup")}
        seen["seen_absent_at"] = of.clock().isoformat()
        attempt.note(proof=facts.sealed(self.shop.vault, seen, tenant=tenant.id, purpose=PURPOSE))

    def _remove(self, attempt: Attempt) -> None:
        of, tenant = self.made_by, attempt.tenant
        with Session(of.catalog) as session, session.begin():
            attempt.lease.check(session)
            attempt.finish(session)
            row = of.registry.locked(session, tenant.key)
            state, seen = TenantState.DELETING, attempt.details.get("proof")
            log = {"tenant_id": row.id, "at": of.clock(), "before": state, "after": state, "reason": "seen to be gone", "actor": "system"}
            session.add(LifecycleRow(**log, proof=seen))
            of.registry.move(session, tenant.key, TenantState.DELETED, reason="deleted", actor="system")
            of.events.tell_after(session, TenantDeleted(tenant=tenant, backup=attempt.details.get("backup")))
            row.database, row.delete_at = None, None
            session.execute(delete(DomainRow).where(DomainRow.tenant_id == tenant.id))
            session.execute(delete(DomainClaimRow).where(DomainClaimRow.tenant_id == tenant.id))
            session.execute(delete(CredentialRow).where(CredentialRow.tenant_id == tenant.id))
            faults.point("removal.written")
