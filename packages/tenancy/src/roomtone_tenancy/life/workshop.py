"""What every operation of a tenant's later life works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import StampMismatch
from ..operations import Attempt
from ..provisioners import Place, Worker
from ..provisioning import Provisioning
from ..tenant import Tenant
from ..vault import Vault
from .copiers import Copier, copier_for
from .copies import Copies
from .doors import Doors
from .replacement import Replacement
from .scrubs import Scrub
from .shelf import BackupShelf, shelf_of
from .stores import Store
from .tools import Tools


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Put together once for each `Tenancy`."""

    of: Provisioning
    vault: Vault
    store: Store | None
    tools: Tools
    scrubs: Mapping[str, Scrub]

    @property
    def doors(self) -> Doors:
        """Tells databases of states."""
        return Doors(of=self.of, copier=self.copier)

    @property
    def copies(self) -> Copies:
        """Databases beside tenants' own."""
        return Copies(of=self.of, copier=self.copier)

    def copier(self, server: str | None) -> Copier:
        """What reads and fills databases of this server."""
        return copier_for(self.of.sites[server].server, self.tools)

    def replacement(self, attempt: Attempt, worker: Worker) -> Replacement:
        """The steps that exchange a tenant's database."""
        return Replacement(of=self.of, doors=self.doors, copies=self.copies, attempt=attempt, worker=worker)

    def shelf(self, tenant: Tenant) -> BackupShelf:
        """The tenant's backups.

        Raises:
            NoStore: they have no place.
        """
        return shelf_of(self.store, self.vault, tenant.id, tenant.key)

    def has_revision(self, revision: str | None) -> bool:
        """Whether the migrations folder has it: data of any other is of a newer version, and cannot be migrated."""
        known = {script.revision for script in self.of.revisions.script.walk_revisions()}
        return revision is None or revision in known

    def migrate(self, worker: Worker, place: Place) -> str:
        """Bring a database that is no tenant's yet to the head, and return its revision."""
        with worker.as_owner(place) as connection:
            revision = self.of.revisions.upgrade(connection)
        worker.leave()
        return revision

    def check_owner(self, attempt: Attempt, place: Place, server: str) -> None:
        """Refuse a database that carries another tenant's stamp, or none.

        Raises:
            StampMismatch: it does.
        """
        found = self.copier(server).owner_of(place)
        if found != attempt.tenant.id:
            raise StampMismatch(attempt.tenant.key, expected=attempt.tenant.id, found=found)
