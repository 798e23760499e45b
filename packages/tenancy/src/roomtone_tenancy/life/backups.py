"""Backups of one tenant at a time: encrypted, checked as they are made, restored beside the tenant's database and then exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from .. import faults
from ..errors import TenantUnavailable
from ..events import BackupMade
from ..key import random_text
from ..lifecycle import TenantState
from ..operations import Attempt, Listener
from ..provisioners import Place
from ..tenant import Tenant
from .clones import CloneReport, Clones
from .manifests import Backup
from .restore import RestoreReport, Restores
from .retention import Retention
from .shelf import BackupShelf, shelf_of
from .undertaking import Undertaking, Wish
from .workshop import Workshop

KIND = "backup"
BACKED_UP_STATES = (TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED, TenantState.ARCHIVED)


@dataclass(frozen=True, kw_only=True)
class Backups:
    """`Tenancy.backups`."""

    shop: Workshop

    def create(self, key: str, *, retention: Retention | None = None, on_step: Listener | None = None) -> Backup:
        """Back a tenant up while it works, read the backup back, and remove what the retention does not keep.

        Args:
            retention: `Retention()` if None.

        Raises:
            UnknownTenant: there is none.
            TenantUnavailable: it has no database yet, or no more.
            NoStore: `Tenancy(backups=...)` was not given.
            OperationBusy: something else goes on with the tenant.
            OperationFailed: a step failed; what was written is no backup, and the next call begins anew.
        """
        tenant = self.shop.of.registry.fresh(key)
        if tenant.state not in BACKED_UP_STATES:
            raise TenantUnavailable(key, tenant.state)
        self.shop.shelf(tenant)

        def wish(_: Session) -> tuple[list[str], Mapping[str, object]]:
            backup_id = f"{self.shop.of.clock():%Y%m%dT%H%M%S.%fZ}-{random_text(8)}"
            rule = retention or Retention()
            facts = {"latest": rule.latest, "daily": rule.daily, "weekly": rule.weekly, "monthly": rule.monthly, "yearly": rule.yearly}
            return ["writing", "pruning"], {"backup": backup_id, "retention": facts}

        return self._run(tenant, wish, on_step)

    def resume(self, key: str) -> Backup:
        """Go on with an interrupted backup; otherwise as `create`."""
        return self._run(self.shop.of.registry.fresh(key), None, None)

    def list(self, key: str) -> Sequence[Backup]:
        """The tenant's backups, the oldest first.

        Raises:
            UnknownTenant, NoStore: there is none.
            BackupDamaged: a manifest was altered.
        """
        return self.shop.shelf(self.shop.of.registry.get(key)).list()

    def check(self, key: str, backup: str | None = None) -> Backup:
        """Read a backup from end to end, the newest if None, and return it.

        Raises:
            UnknownTenant, UnknownBackup, NoStore: there is none.
            BackupDamaged: it was altered, cut short, or is another tenant's.
        """
        shelf = self.shop.shelf(self.shop.of.registry.get(key))
        found = shelf.find(backup)
        shelf.check(found)
        return found

    def prune(self, key: str, retention: Retention, *, is_dry: bool = False) -> Sequence[Backup]:
        """Remove what the retention does not keep, and return it.

        Args:
            is_dry: only say what.
        """
        tenant = self.shop.of.registry.get(key)
        with self.shop.of.leases.hold(f"tenant:{tenant.id}"):
            return self.shop.shelf(tenant).prune(retention, is_dry=is_dry)

    def restore(
        self, key: str, backup: str | None = None, *, keep: timedelta = timedelta(days=7), on_step: Listener | None = None
    ) -> RestoreReport:
        """Put a tenant back to a backup, the newest if None; or go on with the restore that was interrupted.

        It is restored into a new database, compared with what was backed up, migrated to the head, and only then takes the place of the
        tenant's own, which is kept for a while.

        Args:
            keep: how long the replaced database is kept.

        Raises:
            UnknownTenant, UnknownBackup, NoStore: there is none.
            BackupDamaged: it was altered, or is another tenant's.
            NewerRevision: it is of newer migrations.
            OperationBusy: something else goes on with the tenant.
            OperationFailed: a step failed; before the exchange all is taken back, afterwards `resume` goes on.
        """
        return Restores(shop=self.shop).restore(key, backup, keep=keep, on_step=on_step)

    def of_deleted(self, tenant_id: str) -> Sequence[Backup]:
        """The backups of a tenant that may be deleted by now, the oldest first.

        Args:
            tenant_id: `Tenant.id`, as the proof of deletion names it.

        Raises:
            NoStore: there is none.
            BackupDamaged: a manifest was altered.
        """
        return shelf_of(self.shop.store, self.shop.vault, tenant_id, tenant_id).list()

    def restore_as(
        self,
        tenant_id: str,
        key: str,
        backup: str | None = None,
        *,
        domains: Sequence[str] = (),
        metadata: Mapping[str, object] | None = None,
        region: str | None = None,
        on_step: Listener | None = None,
    ) -> CloneReport:
        """Make a new tenant of a backup, the newest if None, of a tenant that was deleted; `Tenancy.clones.resume` goes on.

        The new one has an id, a database, roles and a password of its own.

        Args:
            tenant_id: as for `of_deleted`.
            domains, metadata, region: as in `Tenancy.register`.

        Raises:
            UnknownBackup, NoStore: there is none.
            BackupDamaged: it was altered, or is another tenant's.
            NewerRevision: it is of newer migrations.
            TenantExists, BadKey, DomainTaken, BadHost, NoServer: as in `Tenancy.register`.
            OperationFailed: a step failed; the half-made tenant is gone then, or `resume` goes on.
        """
        wishes = {"domains": domains, "metadata": metadata, "region": region}
        return Clones(shop=self.shop).of_backup(tenant_id, key, backup, scrub=(), on_step=on_step, **wishes)

    def _run(self, tenant: Tenant, wish: Wish | None, on_step: Listener | None) -> Backup:
        undertaking = Undertaking(of=self.shop.of, kind=KIND)
        with undertaking.held(tenant, wish, on_step) as attempt:
            undertaking.run(attempt, _Create(shop=self.shop, attempt=attempt, shelf=self.shop.shelf(tenant)))
            return self.shop.shelf(tenant).find(attempt.details["backup"])


@dataclass(frozen=True, kw_only=True)
class _Create:
    shop: Workshop
    attempt: Attempt
    shelf: BackupShelf

    def do(self, step: str) -> None:
        match step:
            case "writing":
                write_backup(self.shop, self.attempt, self.attempt.details["backup"])
            case "pruning":
                rule: Mapping[str, int] = self.attempt.details["retention"]
                self.shelf.prune(Retention(**rule))
                made = self.shelf.find(self.attempt.details["backup"])
                with Session(self.shop.of.catalog) as session, session.begin():
                    self.attempt.lease.check(session)
                    self.attempt.finish(session)
                    told = BackupMade(tenant=self.attempt.tenant, backup=made.id, rows=made.rows, size_bytes=made.size_bytes)
                    self.shop.of.events.tell_after(session, told)

    def undo(self) -> bool:
        """Nothing of the tenant's was touched; what lies in the store without a manifest goes with the next backup."""
        return True


def write_backup(shop: Workshop, attempt: Attempt, backup_id: str) -> None:
    """Write a backup of the attempt's tenant, read it back, and only then let it be one.

    Raises:
        StampMismatch: the database behind the tenant is another's.
        BackupDamaged: the store did not give back what it was given.
    """
    tenant, shelf = attempt.tenant, shop.shelf(attempt.tenant)
    place = Place(database=tenant.database or "")
    with shop.copier(tenant.server).snapshot(place, is_compressed=True) as snapshot:
        if snapshot.tenant_id != tenant.id:
            shop.check_owner(attempt, place, tenant.server or "")
        backup = shelf.write(backup_id, snapshot, key=tenant.key, at=shop.of.clock())
    faults.point("backup.written")
    shelf.check(backup)
    shelf.publish(backup)
