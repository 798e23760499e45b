"""A tenant in the making whose data comes from elsewhere: written down first, active last, or as if it had never been."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from .. import faults
from ..events import Event, TenantActivated
from ..lifecycle import TenantState
from ..models import CredentialRow, DomainClaimRow, DomainRow
from ..operations import Attempt
from ..provisioners import Place
from ..provisioning import Provisioning
from ..tenant import Tenant
from .replacement import Replacement


def begin(
    of: Provisioning,
    key: str,
    kind: str,
    *,
    steps: Sequence[str],
    facts: Mapping[str, Any],
    wishes: Mapping[str, Any],
    is_sqlite: bool | None,
) -> Tenant:
    """Write down whom a new database will be for and what it will be made of, before anything is made.

    Args:
        steps: those after the roles were made.
        wishes: as `Registry.register` takes them.
        is_sqlite: the kind of server that it has to be on; any when None.

    Raises:
        TenantExists, BadKey, DomainTaken, BadHost, NoServer: as in `Tenancy.register`.
        ValueError: it would be placed on a server of the other kind.
    """
    with Session(of.catalog) as session, session.begin():
        tenant = of.registry.register(session, key, **wishes)
        site = of.sites[tenant.server]
        if is_sqlite is not None and site.server.is_sqlite is not is_sqlite:
            raise ValueError(f"{key!r} would be placed on {site.name!r}, which is of the other kind: name a region that it is not in.")
        roles = ["roles"] if site.provisioner.has_roles else []
        details = {**facts, "server": tenant.server, "database": tenant.database}
        of.operations.want(session, tenant.id, kind, [*roles, *steps], details=details)
        of.registry.move(session, key, TenantState.PROVISIONING, reason=f"its {kind} began", actor="system")
    return of.registry.fresh(key)


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """Its database is not the tenant's yet: the catalog gives no session, and the stamp inside is not this tenant's."""

    of: Provisioning
    attempt: Attempt
    made: Replacement

    @property
    def place(self) -> Place:
        """Its database."""
        return self.made.place

    def activate(self, reason: str, told: Callable[[Tenant], Event]) -> None:
        """Let it work, with its login; the last step.

        Args:
            told: makes the event that says what it was made of.
        """
        of, tenant = self.of, self.attempt.tenant
        with Session(of.catalog) as session, session.begin():
            self.attempt.lease.check(session)
            self.attempt.finish(session)
            of.credentials.switch(session, tenant.id, self.place.logins[0])
            of.registry.locked(session, tenant.key).revision = self.attempt.details["revision"]
            active = of.registry.move(session, tenant.key, TenantState.ACTIVE, reason=reason, actor="system")
            of.events.tell_after(session, TenantActivated(tenant=active))
            of.events.tell_after(session, told(active))
            faults.point("newcomer.written")

    def drop(self) -> bool:
        """Drop what was made, then let the key go."""
        of, tenant, place = self.of, self.attempt.tenant, self.place
        self.attempt.note(is_undoing=str(self.attempt.details.get("is_undoing") or "a step failed"))
        self.made.worker.leave()
        self.made.worker.drop_database(place.database)
        if not self.made.worker.drop_roles(place):
            raise RuntimeError(f"something in another database still belongs to the roles of {place.database}")
        if left := self.made.copier.remains(place):
            raise RuntimeError(f"{', '.join(left)} should be gone and is not")
        faults.point("newcomer.dropped")
        with Session(of.catalog) as session, session.begin():
            self.attempt.lease.check(session)
            of.registry.move(session, tenant.key, TenantState.DELETING, reason="it could not be made", actor="system")
            row = of.registry.locked(session, tenant.key)
            of.registry.move(session, tenant.key, TenantState.DELETED, reason="it could not be made", actor="system")
            row.database = None
            for rows in (DomainRow, DomainClaimRow, CredentialRow):
                session.execute(delete(rows).where(rows.tenant_id == tenant.id))
        return True
