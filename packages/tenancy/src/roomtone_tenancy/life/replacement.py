"""Puts a filled database in the place of a tenant's own: made aside, compared, then exchanged in one transaction of the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from .. import faults
from ..events import Event
from ..lifecycle import TenantState
from ..models import CredentialRow, LifecycleRow, TenantRow
from ..operations import Attempt
from ..provisioners import Place, Worker
from ..provisioning import Provisioning
from ..registry import value_of_row
from ..tenant import Tenant
from .contents import Contents, differences
from .copiers import Copier, Door
from .copies import Copies, CopyState
from .doors import Doors
from .errors import NotVerified

DETAIL_DATABASE, DETAIL_SERVER = "database", "server"


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """The steps that moves and restores share. The operation's details name the new database and its server."""

    of: Provisioning
    doors: Doors
    copies: Copies
    attempt: Attempt
    worker: Worker

    @property
    def place(self) -> Place:
        """The new database."""
        return Place(database=self.attempt.details[DETAIL_DATABASE])

    @property
    def server(self) -> str:
        """Where it is."""
        return str(self.attempt.details[DETAIL_SERVER])

    @property
    def copier(self) -> Copier:
        """What fills it."""
        return self.copies.copier(self.server)

    def roles(self) -> None:
        """Its roles, with a password that is not the tenant's current one yet."""
        login = self.of.credentials.draw(self.attempt.lease, self.attempt.tenant.id, self.place.logins[0])
        self.worker.make_roles(self.place, login)

    def database(self) -> None:
        """The database, empty."""
        self.copier.prepare(self.place)

    def load(self, kind: str, chunks: Iterable[bytes]) -> None:
        """Fill it, anew if an earlier attempt had begun to."""
        if self.attempt.details.get("loading"):
            self.copier.prepare(self.place)
        self.attempt.note(loading=True)
        self.copier.load(self.place, kind, chunks)
        faults.point("load.done")
        self.copier.set_door(self.place, Door.OPEN)
        self.worker.secure(self.place)
        self.worker.leave()

    def compare(self, expected: Contents, what: str) -> Contents:
        """Its contents, which are the expected ones.

        Raises:
            NotVerified: they are not.
        """
        found = self.copier.contents(self.place)
        if unlike := differences(expected, found):
            raise NotVerified(what, unlike)
        return found

    def fence(self) -> datetime:
        """Refuse the tenant's writes, in the catalog and in its database, until it is exchanged or given up; since when."""
        with Session(self.of.catalog) as session, session.begin():
            self.attempt.lease.check(session)
            row = self.of.registry.locked(session, self.attempt.tenant.key)
            if not row.is_fenced:
                row.is_fenced, row.door = True, None
                row.epoch += 1
            self.of.registry.forget_after(session, row)
        provisioner, place = self.of.sites[self.attempt.tenant.server].provisioner, Place(database=self.attempt.tenant.database or "")
        if place.database in provisioner.names(place.database):  # one that was lost can still be replaced by its backup
            with provisioner.owner_connection(place):
                pass  # a migration that is under way has the same lock: let it end, the next one sees the fence
        if "fenced_at" not in self.attempt.details:
            self.attempt.note(fenced_at=self.of.clock().isoformat())
        faults.point("fence.raised")
        self.doors.settle_under(self.attempt.lease, self.attempt.tenant.id)
        return datetime.fromisoformat(self.attempt.details["fenced_at"])

    def exchange(self, *, keep: timedelta, reason: str) -> None:
        """From here on the new database is the tenant's: its place, its login, its open door, in one transaction."""
        tenant = self.attempt.tenant
        with Session(self.of.catalog) as session, session.begin():
            self.attempt.lease.check(session)
            row = self.of.registry.locked(session, tenant.key)
            if row.database != self.place.database:
                self._exchange(session, row, keep, reason)
            self.of.registry.forget_after(session, row)
            faults.point("exchange.written")
        if "exchanged_at" not in self.attempt.details:
            self.attempt.note(exchanged_at=self.of.clock().isoformat())

    def retire(self, told: Callable[[Tenant], Event]) -> None:
        """Close the former database to everybody but the administrator, and have the new one obey the tenant's state.

        Args:
            told: makes the event that says that all is done.
        """
        source = self.attempt.tenant
        assert self.attempt.details["source_database"] is not None
        place = Place(database=self.attempt.details["source_database"])
        self.copies.copier(self.attempt.details["source_server"]).set_door(place, Door.RETIRED)
        self.of.sites[self.attempt.details["source_server"]].engines.forget(source.id)
        self.doors.settle_under(self.attempt.lease, source.id)
        with Session(self.of.catalog) as session, session.begin():
            self.attempt.lease.check(session)
            self.attempt.finish(session)
            self.of.events.tell_after(session, told(value_of_row(session.get_one(TenantRow, source.id))))

    def undo(self) -> bool:
        """Let the tenant write again where it is, and drop what was made; not once the databases were exchanged."""
        with Session(self.of.catalog) as session, session.begin():
            self.attempt.lease.check(session)
            row = session.get_one(TenantRow, self.attempt.tenant.id, with_for_update=True)
            if row.database == self.place.database:
                return False
            if row.is_fenced:
                row.is_fenced, row.door = False, None
                row.epoch += 1
            self.of.registry.forget_after(session, row)
        self.attempt.note(is_undoing=str(self.attempt.details.get("is_undoing") or "a step failed"))
        self.doors.settle_under(self.attempt.lease, self.attempt.tenant.id)
        self.worker.leave()
        self.copies.drop(self.attempt.lease, self.attempt.tenant.id, CopyState.FILLING)
        self.of.credentials.forget(self.attempt.lease, self.attempt.tenant.id, self.place.logins[0])
        return True

    def _exchange(self, session: Session, row: TenantRow, keep: timedelta, reason: str) -> None:
        self.copies.swap(session, row, self.place.database, drop_at=self.of.clock() + keep)
        if self.of.sites[self.server].provisioner.has_roles:
            self.of.credentials.switch(session, row.id, self.place.logins[0])
        outdated = delete(CredentialRow).where(CredentialRow.tenant_id == row.id, CredentialRow.role != self.place.logins[0])
        session.execute(outdated)
        row.is_fenced, row.door, row.updated_at = False, None, self.of.clock()
        row.revision = self.attempt.details.get("revision", row.revision)
        row.epoch += 1
        state = TenantState(row.state)
        session.add(LifecycleRow(tenant_id=row.id, at=self.of.clock(), before=state, after=state, reason=reason, actor="system"))
        session.flush()
