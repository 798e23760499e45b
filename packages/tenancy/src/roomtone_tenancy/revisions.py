"""A folder of Alembic revisions, run without an env.py on a connection that we were given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, column, event, select, table

from .errors import MigrationsInvalid

# Alembic's `op` and `context` are proxies global to the process: two upgrades in two threads would write into each other's database.
ALEMBIC_PROXIES = threading.RLock()

Hear = Callable[[Connection, Iterator[Any]], Iterator[Any]]  # Any: Alembic's steps


@dataclass(frozen=True, kw_only=True)
class Revisions:
    """The revisions in `folder/versions`.

    Args:
        version_table: where the database notes its revision.
        metadata: what revisions see as `context.get_context().opts["target_metadata"]`.
    """

    folder: Path
    version_table: str = "alembic_version"
    metadata: MetaData | None = None

    @cached_property
    def script(self) -> ScriptDirectory:
        """Alembic's view of the folder, read once.

        Raises:
            MigrationsInvalid: there is no versions folder.
        """
        if not (self.folder / "versions").is_dir():
            raise MigrationsInvalid(str(self.folder), "it has no folder versions/")
        return ScriptDirectory(self.folder)

    @cached_property
    def head(self) -> str:
        """The newest revision.

        Raises:
            MigrationsInvalid: none, several heads, or files that Alembic refuses.
        """
        try:
            head = self.script.get_current_head()
        except CommandError as error:
            raise MigrationsInvalid(str(self.folder), str(error)) from error
        if head is None:
            raise MigrationsInvalid(str(self.folder), "it has no revision")
        return head

    def current(self, connection: Connection) -> str | None:
        """The revision that the database notes, None when it notes none."""
        if not connection.dialect.has_table(connection, self.version_table):
            return None
        return connection.scalars(select(column("version_num")).select_from(table(self.version_table))).one_or_none()

    def reaches(self, current: str | None, wanted: str) -> bool:
        """Whether a database at `current` has `wanted`. A revision that these scripts lack counts as newer than all of them.

        Raises:
            MigrationsInvalid: these scripts lack `wanted`.
        """
        self.ancestors(wanted)
        if current is None:
            return False
        try:
            return wanted in self.ancestors(current)
        except MigrationsInvalid:
            return True

    def ancestors(self, revision: str) -> frozenset[str]:
        """The revision and all that come before it.

        Raises:
            MigrationsInvalid: these scripts lack it.
        """
        if revision not in self._ancestors:
            try:
                found = frozenset(each.revision for each in self.script.iterate_revisions(revision, "base"))
            except CommandError as error:
                raise MigrationsInvalid(str(self.folder), str(error)) from error
            self._ancestors[revision] = found
        return self._ancestors[revision]

    def missing(self, current: str | None) -> tuple[str, ...]:
        """What is to be run to come from there to the head, in order.

        Raises:
            MigrationsInvalid: these scripts lack `current`.
        """
        try:
            steps = self.script._upgrade_revs(self.head, current or "base")
        except CommandError as error:
            raise MigrationsInvalid(str(self.folder), str(error)) from error
        return tuple(step.revision.revision for step in steps)

    @cached_property
    def _ancestors(self) -> dict[str, frozenset[str]]:
        return {}

    def upgrade(self, connection: Connection, hear: Hear = lambda _, steps: steps, *, to: str | None = None) -> str:
        """Run what is missing up to the head, and return the head. Each revision is a transaction
        of its own; on SQLite all are one.

        Args:
            to: run no more than what leads to this revision, and return that.
            hear: gets the steps as Alembic takes them, and gives them on.

        Effects:
            Begins and commits on the connection, which must not be in a transaction. Waits for other upgrades of this process.
        """
        head = to or self.head
        is_sqlite = connection.dialect.name == "sqlite"

        def steps(revision: str, _: object) -> Iterator[Any]:  # Any: Alembic's
            return hear(connection, iter(self.script._upgrade_revs(head, revision)))

        environment = EnvironmentContext(Config(), self.script, fn=steps)
        with ALEMBIC_PROXIES, environment, _transactional(connection) if is_sqlite else nullcontext():
            environment.configure(
                connection=connection,
                target_metadata=self.metadata,
                version_table=self.version_table,
                transactional_ddl=True,
                # SQLite: one transaction, begun before the revision is read, is the lock against another process.
                transaction_per_migration=not is_sqlite,
                render_as_batch=is_sqlite,
            )
            with environment.begin_transaction():
                environment.run_migrations()
            if connection.in_transaction():
                connection.commit()
        return head


@contextmanager
def _transactional(connection: Connection) -> Iterator[None]:
    """Make DDL roll back: sqlite3 commits before it unless told to leave transactions alone."""
    driver: Any = connection.connection.driver_connection  # a sqlite3.Connection
    connection.rollback()
    before, driver.isolation_level = driver.isolation_level, None

    def begin(each: Connection) -> None:
        each.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(connection, "begin", begin)
    try:
        yield
    finally:
        event.remove(connection, "begin", begin)
        connection.rollback()
        driver.isolation_level = before
