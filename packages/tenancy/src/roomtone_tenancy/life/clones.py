"""Clones: a new tenant from a live one or from a backup, which nobody can open before it was scrubbed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from .. import faults
from ..errors import StampMismatch, TenantUnavailable
from ..events import TenantCloned
from ..guard import TenantSession
from ..lifecycle import TenantState
from ..models import OperationRow, TenantRow
from ..operations import Attempt, Listener
from ..provisioners import Place
from ..provisioners.stamp import STAMP
from ..registry import value_of_row
from ..tenant import Tenant
from . import scrubs
from .contents import Contents, from_json, to_json, total_rows
from .errors import NewerRevision
from .manifests import Backup
from .newcomers import Newcomer, begin
from .replacement import Replacement
from .shelf import shelf_of
from .undertaking import Undertaking
from .workshop import Workshop

KIND = "clone"
CLONED_STATES = (TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED, TenantState.ARCHIVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class CloneReport:
    """What a clone was made of.

    Args:
        source: the key of the tenant that it was made of, as it was then.
        backup: the backup it was made of; None when it was the live database.
        rows: how many were copied and compared, before any was scrubbed.
        scrubs: what was run on it.
    """

    key: str
    source: str
    backup: str | None
    server: str
    revision: str
    tables: int
    rows: int
    scrubs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Clones:
    """`Tenancy.clones`."""

    shop: Workshop

    def clone(
        self,
        source: str,
        key: str,
        *,
        scrub: Sequence[str] | None = None,
        backup: str | None = None,
        domains: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        region: str | None = None,
        on_step: Listener | None = None,
    ) -> CloneReport:
        """Make a new tenant with a tenant's data, while that one works on; or with the data of one of its backups.

        The clone has an id, a database, roles and a password of its own. Domains, metadata and log of the source are not copied.

        Args:
            scrub: names of functions in `Tenancy(scrubs=...)`, run in this order; all of them when None, and `()` says that none need be.
            backup: its id, or "newest"; the live database when None.
            domains, metadata, region: as in `Tenancy.register`.

        Raises:
            UnknownTenant, UnknownBackup, NoStore: there is no such source.
            TenantUnavailable: the source has no database yet, or no more.
            UnknownScrub: there is no such function, or none at all and `scrub` is None.
            NewerRevision: the source is of newer migrations.
            TenantExists, BadKey, DomainTaken, BadHost, NoServer: as in `Tenancy.register`.
            ValueError: the clone would be placed on a server of the other kind.
            OperationFailed: a step failed, a scrub for example; the half-made clone is gone then, or `resume` goes on.

        Effects:
            Commits. The clone becomes active with the last step: until then nobody gets a session of it, and its database carries the
            source's stamp, with which no session is given out. It loses that in the transaction in which it was scrubbed.
        """
        tenant, wishes = self.shop.of.registry.fresh(source), {"domains": domains, "metadata": metadata, "region": region}
        if backup is not None:
            return self.of_backup(tenant.id, key, None if backup == "newest" else backup, scrub=scrub, on_step=on_step, **wishes)
        if tenant.state not in CLONED_STATES:
            raise TenantUnavailable(source, tenant.state)
        self._check_revision(f"Tenant {source!r}", tenant.revision)
        kind = "sqlite" if self.shop.of.sites[tenant.server].server.is_sqlite else "pg_dump"
        facts = {"origin": tenant.id, "origin_key": tenant.key, "backup": None, "kind": kind}
        return self._begin(key, facts, scrub, on_step, wishes)

    def of_backup(
        self, tenant_id: str, key: str, backup: str | None, *, scrub: Sequence[str] | None, on_step: Listener | None, **wishes: Any
    ) -> CloneReport:  # wishes are those of `Registry.register`
        """As `clone`, of a tenant that may be deleted by now; see `Backups.restore_as`."""
        found = shelf_of(self.shop.store, self.shop.vault, tenant_id, tenant_id).find(backup)
        self._check_revision(f"Backup {found.id!r}", found.revision)
        facts = {"origin": tenant_id, "origin_key": found.key, "backup": found.id, "kind": found.kind}
        return self._begin(key, facts, scrub, on_step, wishes)

    def resume(self, key: str) -> CloneReport:
        """Go on with the clone that was to get this key and was interrupted.

        Raises:
            OperationBusy: there is none, or another process is at it.
            UnknownScrub: it is to be scrubbed by a function that this process does not have.
            Otherwise: as `clone`.
        """
        return self._run(self.shop.of.registry.fresh(key), None)

    def _check_revision(self, what: str, revision: str | None) -> None:
        if not self.shop.has_revision(revision):
            raise NewerRevision(what, revision)

    def _begin(
        self, key: str, facts: Mapping[str, Any], scrub: Sequence[str] | None, on_step: Listener | None, wishes: Mapping[str, Any]
    ) -> CloneReport:
        tenant = begin(
            self.shop.of,
            key,
            KIND,
            steps=["database", "copy", "verification", "migration", "scrub", "activation"],
            facts={**facts, "scrubs": scrubs.chosen(self.shop.scrubs, scrub)},
            wishes=wishes,
            is_sqlite=facts["kind"] == "sqlite",
        )
        return self._run(tenant, on_step)

    def _run(self, tenant: Tenant, on_step: Listener | None) -> CloneReport:
        undertaking = Undertaking(of=self.shop.of, kind=KIND)
        with undertaking.held(tenant, None, on_step) as attempt:
            scrubs.chosen(self.shop.scrubs, attempt.details["scrubs"])
            site = self.shop.of.sites[attempt.details["server"]]
            with site.provisioner.work(attempt.lease.name) as worker:
                undertaking.run(attempt, _Clone(shop=self.shop, attempt=attempt, made=self.shop.replacement(attempt, worker)))
            with Session(self.shop.of.catalog) as session:
                facts = session.get_one(OperationRow, attempt.id).details
        contents = from_json(facts["contents"])
        return CloneReport(
            key=tenant.key,
            source=facts["origin_key"],
            backup=facts["backup"],
            server=facts["server"],
            revision=facts["revision"],
            tables=len(contents),
            rows=total_rows(contents),
            scrubs=tuple(facts["scrubs"]),
        )


@dataclass(frozen=True, kw_only=True)
class _Clone:
    shop: Workshop
    attempt: Attempt
    made: Replacement

    @property
    def newcomer(self) -> Newcomer:
        return Newcomer(of=self.shop.of, attempt=self.attempt, made=self.made)

    def do(self, step: str) -> None:
        match step:
            case "roles":
                self.made.roles()
            case "database":
                self.made.database()
            case "copy":
                contents = self._copy_backup() if self.attempt.details["backup"] else self._copy_live()
                self.attempt.note(contents=to_json(contents))
            case "verification":
                self._refuse_other(self.made.copier.owner_of(self.made.place))
                self.made.compare(from_json(self.attempt.details["contents"]), f"the clone {self.attempt.tenant.key!r}")
            case "migration":
                self.attempt.note(revision=self.shop.migrate(self.made.worker, self.made.place))
            case "scrub":
                with self.made.worker.as_owner(self.made.place) as connection:
                    self._scrub(connection)
                self.made.worker.leave()
            case "activation":
                facts = self.attempt.details
                told = partial(TenantCloned, source=facts["origin_key"], backup=facts["backup"])
                self.newcomer.activate(f"cloned from {facts['origin_key']}", lambda tenant: told(tenant=tenant))

    def undo(self) -> bool:
        """There never was such a tenant."""
        return self.newcomer.drop()

    def _copy_live(self) -> Contents:
        with Session(self.shop.of.catalog) as session:
            source = value_of_row(session.get_one(TenantRow, self.attempt.details["origin"]))
        if source.state not in CLONED_STATES or source.database is None:
            raise TenantUnavailable(source.key, source.state)
        with self.shop.copier(source.server).snapshot(Place(database=source.database), is_compressed=False) as snapshot:
            self._refuse_other(snapshot.tenant_id)
            self.made.load(snapshot.kind, snapshot.chunks)
            return snapshot.contents

    def _copy_backup(self) -> Contents:
        backup, shelf = self._backup(), shelf_of(self.shop.store, self.shop.vault, self.attempt.details["origin"], "")
        self.made.load(backup.kind, shelf.read(backup))
        return backup.contents

    def _backup(self) -> Backup:
        origin = self.attempt.details["origin"]
        return shelf_of(self.shop.store, self.shop.vault, origin, origin).find(self.attempt.details["backup"])

    def _refuse_other(self, found: str | None) -> None:
        """The stamp comes with the data: what is copied must be the source's."""
        if found != self.attempt.details["origin"]:
            raise StampMismatch(self.attempt.details["origin_key"], expected=self.attempt.details["origin"], found=found)

    def _scrub(self, connection: Connection) -> None:
        """Scrub it and let it be the new tenant's, in one transaction: whoever has the clone's stamp is scrubbed."""
        tenant, scope = self.attempt.tenant, self.shop.of.scope
        owner = connection.scalar(select(STAMP.c.tenant_id))
        if owner == tenant.id:
            return
        self._refuse_other(owner)
        connection.execute(update(STAMP).values(tenant_id=tenant.id))  # first: sqlite3 begins a transaction here, not before
        for name in self.attempt.details["scrubs"]:
            with (
                scope.enter(tenant, allow_switch=True),
                TenantSession(connection, tenant=tenant, scope=scope, join_transaction_mode="create_savepoint") as session,
            ):
                self.shop.scrubs[name](session, tenant)
                session.commit()
        faults.point("scrub.written")
        connection.commit()
