"""Restores: a backup becomes a new database, is proved to be what was backed up, and takes the place of the tenant's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from ..events import TenantRestored
from ..models import OperationRow
from ..operations import Attempt, Listener
from ..tenant import Tenant
from .errors import NewerRevision
from .manifests import Backup
from .replacement import Replacement
from .shelf import BackupShelf
from .undertaking import Undertaking, Wish
from .workshop import Workshop

KIND = "restore"


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreReport:
    """What a restore did.

    Args:
        revision: of the tenant's database now.
        rows: how many were restored and compared.
        refused_s: how long the tenant's writes were refused, seconds.
        former_until: until when the replaced database is kept.
    """

    key: str
    backup: str
    revision: str | None
    rows: int
    refused_s: float
    former_until: datetime


@dataclass(frozen=True, kw_only=True)
class Restores:
    """See `Backups.restore`."""

    shop: Workshop

    def restore(self, key: str, backup: str | None, *, keep: timedelta, on_step: Listener | None) -> RestoreReport:
        """See `Backups.restore`."""
        tenant = self.shop.of.registry.fresh(key)
        found = self.shop.shelf(tenant).find(backup)
        if not self.shop.has_revision(found.revision):
            raise NewerRevision(f"Backup {found.id!r}", found.revision)

        def wish(session: Session) -> tuple[list[str], Mapping[str, object]]:
            assert tenant.server is not None
            roles = ["roles"] if self.shop.of.sites[tenant.server].provisioner.has_roles else []
            facts = {"source_server": tenant.server, "source_database": tenant.database, "server": tenant.server}
            facts |= {"backup": found.id, "database": self.shop.copies.name(session, tenant.id, tenant.server)}
            steps = [*roles, "database", "load", "verification", "migration", "fence", "exchange", "retirement"]
            return steps, {**facts, "keep_s": keep.total_seconds()}

        return self._run(tenant, wish, on_step)

    def resume(self, key: str) -> RestoreReport:
        """Go on with an interrupted restore; otherwise as `restore`."""
        return self._run(self.shop.of.registry.fresh(key), None, None)

    def _run(self, tenant: Tenant, wish: Wish | None, on_step: Listener | None) -> RestoreReport:
        undertaking = Undertaking(of=self.shop.of, kind=KIND)
        with undertaking.held(tenant, wish, on_step) as attempt:
            shelf = self.shop.shelf(tenant)
            backup = shelf.find(attempt.details["backup"])
            site = self.shop.of.sites[attempt.details["server"]]
            with site.provisioner.work(attempt.lease.name) as worker:
                replacement = self.shop.replacement(attempt, worker)
                steps = _Restore(shop=self.shop, attempt=attempt, replacement=replacement, shelf=shelf, backup=backup)
                undertaking.run(attempt, steps)
            return self._report(attempt, backup)

    def _report(self, attempt: Attempt, backup: Backup) -> RestoreReport:
        with Session(self.shop.of.catalog) as session:
            facts = session.get_one(OperationRow, attempt.id).details
        return RestoreReport(
            key=attempt.tenant.key,
            backup=backup.id,
            revision=facts["revision"],
            rows=backup.rows,
            refused_s=_refused_s(facts),
            former_until=datetime.fromisoformat(facts["exchanged_at"]) + timedelta(seconds=facts["keep_s"]),
        )


@dataclass(frozen=True, kw_only=True)
class _Restore:
    shop: Workshop
    attempt: Attempt
    replacement: Replacement
    shelf: BackupShelf
    backup: Backup

    def do(self, step: str) -> None:
        match step:
            case "roles":
                self.replacement.roles()
            case "database":
                self.replacement.database()
            case "load":
                self.replacement.load(self.backup.kind, self.shelf.read(self.backup))
            case "verification":
                # The stamp is asked before anything else: it was in the database when it was backed up.
                self.shop.check_owner(self.attempt, self.replacement.place, self.replacement.server)
                self.replacement.compare(self.backup.contents, f"the restored backup {self.backup.id!r}")
            case "migration":
                self.attempt.note(revision=self.shop.migrate(self.replacement.worker, self.replacement.place))
            case "fence":
                self.replacement.fence()
            case "exchange":
                self.replacement.exchange(
                    keep=timedelta(seconds=self.attempt.details["keep_s"]), reason=f"restored backup {self.backup.id}"
                )
            case "retirement":
                self.replacement.retire(self._restored)

    def undo(self) -> bool:
        return self.replacement.undo()

    def _restored(self, tenant: Tenant) -> TenantRestored:
        refused_s = _refused_s(self.attempt.details)
        return TenantRestored(tenant=tenant, backup=self.backup.id, rows=self.backup.rows, refused_s=refused_s)


def _refused_s(facts: Mapping[str, Any]) -> float:  # an operation's details
    return (datetime.fromisoformat(facts["exchanged_at"]) - datetime.fromisoformat(facts["fenced_at"])).total_seconds()
