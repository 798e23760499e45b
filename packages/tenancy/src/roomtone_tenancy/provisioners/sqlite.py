"""SQLite: one file per tenant in one folder, copied from a template file and made durable before it gets its name."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import URL, Connection, Dialect, Engine, NullPool, create_engine

from .. import faults
from ..errors import TemplateGone
from ..server import Server
from . import FACT_SOURCES, Choose, Facts, Login, Place
from .sqlite_files import cut_off, databases, file_of, unfinished, with_companions

WAIT_MS = 5_000
_STAMP = "INSERT INTO tenancy_stamp (is_only, tenant_id) VALUES (1, ?)"


@dataclass(frozen=True)
class SqliteProvisioner:
    """One folder of tenant files. Every step is atomic in the file system or the file, so it needs no lock."""

    server: Server

    @property
    def has_roles(self) -> bool:
        """No: files have no roles."""
        return False

    @property
    def is_instant(self) -> bool:
        """Yes."""
        return True

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return Path(self.server.parsed.database or ".").resolve()

    @contextmanager
    def work(self, lock: str) -> Iterator[SqliteWorker]:  # noqa: ARG002 -- see the class
        """See `Provisioner.work`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        worker = SqliteWorker(self.folder)
        try:
            yield worker
        finally:
            worker.leave()

    @contextmanager
    def owner_connection(self, place: Place) -> Iterator[Connection]:
        """See `Provisioner.owner_connection`."""
        with _open(file_of(self.folder, place.database), mode="rw") as connection:
            yield connection

    def facts(self, place: Place) -> Facts:
        """See `Provisioner.facts`."""
        with _plain(file_of(self.folder, place.database), wait_ms=WAIT_MS) as connection:
            return _facts(connection)

    def replay(
        self,
        place: Place,
        choose: Choose,
        *,
        lock_timeout_ms: int,
        statement_timeout_ms: int,  # noqa: ARG002 -- a file has none
    ) -> None:
        """See `Provisioner.replay`. The transaction is begun before anything is read: it is the lock."""
        with _plain(file_of(self.folder, place.database), wait_ms=lock_timeout_ms) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for statements in choose(_facts(connection)):
                for statement in statements:
                    connection.execute(statement)
            connection.execute("COMMIT")

    def url(self, place: Place, login: Login | None) -> URL:  # noqa: ARG002 -- files have no password
        """See `Provisioner.url`. Opening never makes the file, so that a deleted tenant stays deleted."""
        return _url(file_of(self.folder, place.database), mode="rw")

    def names(self, prefix: str) -> Mapping[str, str]:
        """See `Provisioner.names`. A copy that was cut off belongs to the database that it was to become."""
        return dict.fromkeys(databases(self.folder, prefix), "file")

    def open_databases(self) -> list[str]:
        """See `Provisioner.open_databases`: files have modes instead."""
        return []

    def size_bytes(self, database: str) -> int:
        """See `Provisioner.size_bytes`."""
        paths = with_companions(file_of(self.folder, database))
        return sum(path.stat().st_size for path in paths if path.exists())

    def backlog_bytes(self) -> int:
        """See `Provisioner.backlog_bytes`: to drop is to unlink."""
        return 0


class SqliteWorker:
    """See `Worker`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._inside: tuple[str, Connection] | None = None
        self._made: tuple[str, Facts] | None = None

    def build_template(self, database: str, upgrade: Callable[[Connection], str]) -> str:
        """See `Worker.build_template`."""
        path = self._path(database)
        with _open(path, mode="rwc") as connection:
            # Kept in the file: readers of every clone go on while one writes.
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.rollback()
            faults.point("template.created")
            revision = upgrade(connection)
            faults.point("template.migrated")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        _sync(path)
        return revision

    def drop_database(self, database: str) -> None:
        """See `Worker.drop_database`. The companions go too: a later file of this name must not replay them."""
        path = self._path(database)
        for each in [*cut_off(path), *with_companions(path)]:
            each.unlink(missing_ok=True)
            faults.point("drop.file_removed")
        _sync(self.folder)

    def make_roles(self, place: Place, login: Login) -> None:
        """See `Worker.make_roles`: nothing to make."""

    def make_login(self, place: Place, login: Login) -> None:
        """See `Worker.make_login`: nothing to make."""

    def retire_login(self, role: str) -> None:
        """See `Worker.retire_login`: nobody logs in."""

    def is_sound(self, template: str) -> bool:  # noqa: ARG002 -- SQLite sorts by itself
        """See `Worker.is_sound`: always."""
        return True

    def clone(self, place: Place, template: str, *, tenant_id: str) -> None:
        """See `Worker.clone`. The name appears only with all bytes on disk, the stamp's too, and never replaces a file that is there."""
        target = self._path(place.database)
        for each in cut_off(target):
            each.unlink(missing_ok=True)
        if target.exists():
            return
        for stale in with_companions(target):
            stale.unlink(missing_ok=True)
        copy = unfinished(target)
        try:
            shutil.copyfile(self._path(template), copy)
        except FileNotFoundError as error:
            raise TemplateGone(template) from error
        copy.chmod(0o600)
        with _alone(copy) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_STAMP, [tenant_id])
            facts = _facts(connection)
        _sync(copy)
        faults.point("copy.written")
        with suppress(FileExistsError):
            os.link(copy, target)  # unlike a rename it refuses to replace the file of a worker that was faster
            self._made = (place.database, facts)
        faults.point("copy.linked")
        copy.unlink(missing_ok=True)
        _sync(self.folder)

    def secure(self, place: Place) -> None:
        """See `Worker.secure`: the file's mode does it."""

    def facts(self, place: Place) -> Facts:
        """See `Worker.facts`. Of a file that was just made they were read before anybody could open it."""
        made, self._made = self._made, None
        if made is not None and made[0] == place.database:
            return made[1]
        with _alone(self._path(place.database)) as connection:
            return _facts(connection)

    def stamp(self, place: Place, tenant_id: str) -> None:
        """See `Worker.stamp`."""
        with _alone(self._path(place.database)) as connection:
            connection.execute(_STAMP, [tenant_id])

    @contextmanager
    def as_owner(self, place: Place) -> Iterator[Connection]:
        """See `Worker.as_owner`."""
        if self._inside is None or self._inside[0] != place.database:
            self.leave()
            self._inside = (place.database, _engine(self._path(place.database), mode="rw").connect())
        try:
            yield self._inside[1]
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """See `Worker.leave`."""
        if self._inside is not None:
            self._inside[1].close()
            self._inside = None

    def drop_roles(self, place: Place) -> bool:  # noqa: ARG002 -- files have no roles
        """See `Worker.drop_roles`: nothing to drop."""
        return True

    def _path(self, database: str) -> Path:
        return file_of(self.folder, database)


@contextmanager
def _plain(path: Path, *, wait_ms: int) -> Iterator[sqlite3.Connection]:
    """The driver's own connection, which begins nothing by itself; what is not committed is rolled back at the end."""
    connection = sqlite3.connect(f"file:{path.as_posix()}?mode=rw", uri=True, isolation_level=None, timeout=wait_ms / 1000)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _alone(path: Path) -> Iterator[sqlite3.Connection]:
    """As `_plain`, of a file that nobody else knows yet: it needs no memory shared with other processes."""
    with _plain(path, wait_ms=WAIT_MS) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        yield connection


def _facts(connection: sqlite3.Connection) -> Facts:
    known: dict[str, str | None] = {}
    for table, query in FACT_SOURCES.items():
        is_there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone()
        known[table] = "+".join(value for (value,) in connection.execute(query)) if is_there else None
    return Facts(stamp=known["tenancy_stamp"] or None, revision=known["alembic_version"] or None)


def _url(path: Path, *, mode: str) -> URL:
    return URL.create("sqlite", database=f"file:{path.as_posix()}", query={"uri": "true", "mode": mode})


@contextmanager
def _open(path: Path, *, mode: str) -> Iterator[Connection]:
    with _engine(path, mode=mode).connect() as connection:
        yield connection


def _engine(path: Path, *, mode: str) -> Engine:
    """An engine of one file, with the dialect that all of them share: `create_engine` would take longer than what is done with it."""
    dialect, url = _dialect(), _url(path, mode=mode)
    arguments, options = dialect.create_connect_args(url)
    return Engine(NullPool(lambda: dialect.connect(*arguments, **options), dialect=dialect), dialect, url)


@lru_cache(1)
def _dialect() -> Dialect:
    engine = create_engine("sqlite://")
    engine.connect().close()  # the dialect learns at its first connection what SQLite can do
    engine.dispose()
    return engine.dialect


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
