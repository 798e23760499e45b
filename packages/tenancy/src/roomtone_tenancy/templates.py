"""Template databases: built aside, never changed, replaced when the migrations have a new head."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, select, update
from sqlalchemy.orm import Session

from . import faults
from .errors import OperationBusy
from .key import opaque_name
from .lease import Lease, Leases
from .models import TemplateRow
from .provisioners import Place, Provisioner, Worker
from .provisioners.stamp import make_table
from .revisions import Revisions

BUILD_WAIT_S = 120.0
_POLL_S = 0.2
_CURRENT = (
    select(TemplateRow.database)
    .where(TemplateRow.server == bindparam("server"), TemplateRow.revision == bindparam("head"))
    .order_by(TemplateRow.created_at.desc())
    .limit(1)
)


@dataclass(frozen=True, kw_only=True)
class Templates:
    """The templates of every server. One that cannot be opened cannot be changed either, so a new head means a new template."""

    catalog: Engine
    leases: Leases
    revisions: Revisions
    clock: Callable[[], datetime]
    installation: Callable[[], str]

    def current(self, server: str) -> str | None:
        """The server's template at head; None when there is none yet."""
        with self.catalog.connect() as connection:
            return connection.scalar(_CURRENT, {"server": server, "head": self.revisions.head})

    def ensure(self, server: str, provisioner: Provisioner, *, retire: bool = True) -> str:
        """The server's template at head, built first if need be.

        Args:
            retire: drop those that it replaces; `sweep` does it otherwise. To drop a database takes a checkpoint of the whole server.

        Raises:
            OperationBusy: another process has been building it for `BUILD_WAIT_S` seconds.
        """
        deadline = time.monotonic() + BUILD_WAIT_S
        while True:
            if (database := self.current(server)) is not None:
                return database
            try:
                with self.leases.hold(f"template:{server}") as lease, provisioner.work(f"template:{server}") as worker:
                    return self.current(server) or self._build(server, worker, lease, retire=retire)
            except OperationBusy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)

    def sweep(self, server: str, provisioner: Provisioner) -> None:
        """Drop what a killed builder left; another process that is building drops it itself."""
        if not self.outdated(server):
            return
        with suppress(OperationBusy), self.leases.hold(f"template:{server}") as lease, provisioner.work(f"template:{server}") as worker:
            for each in self.outdated(server):
                self._retire(each, worker, lease)

    def outdated(self, server: str) -> list[str]:
        """Those that nothing is cloned from any more, and that are still to be dropped; one that is being built among them."""
        with Session(self.catalog) as session:
            wanted = select(TemplateRow.database).where(TemplateRow.server == server, TemplateRow.revision.is_(None))
            return list(session.scalars(wanted))

    def condemn(self, database: str) -> None:
        """Have the next `ensure` build another one in its place."""
        with Session(self.catalog) as session, session.begin():
            session.execute(update(TemplateRow).where(TemplateRow.database == database).values(revision=None))

    def _build(self, server: str, worker: Worker, lease: Lease, *, retire: bool) -> str:
        with Session(self.catalog) as session:
            outdated = list(session.scalars(select(TemplateRow.database).where(TemplateRow.server == server)))
        database = opaque_name(self.installation())
        with self._fenced(lease) as session:
            session.add(TemplateRow(database=database, server=server, revision=None, created_at=self.clock()))
        faults.point("template.named")
        revision = worker.build_template(database, self._make)
        faults.point("template.built")
        with self._fenced(lease) as session:
            session.execute(update(TemplateRow).where(TemplateRow.database.in_(outdated)).values(revision=None))
            session.execute(update(TemplateRow).where(TemplateRow.database == database).values(revision=revision))
        faults.point("template.recorded")
        for each in outdated if retire else ():
            self._retire(each, worker, lease)
        return database

    def _make(self, connection: Connection) -> str:
        make_table(connection)
        connection.commit()
        return self.revisions.upgrade(connection)

    @contextmanager
    def _fenced(self, lease: Lease) -> Iterator[Session]:
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            yield session

    def _retire(self, database: str, worker: Worker, lease: Lease) -> None:
        """Drop an outdated template; one that a clone still needs stays in the catalog for the next time."""
        worker.drop_database(database)
        faults.point("template.dropped")
        if worker.drop_roles(Place(database=database)):
            with self._fenced(lease) as session:
                session.delete(session.get_one(TemplateRow, database))

    def names(self) -> set[str]:
        """Every template that the catalog knows, also those being built or retired."""
        with Session(self.catalog) as session:
            return set(session.scalars(select(TemplateRow.database)))
