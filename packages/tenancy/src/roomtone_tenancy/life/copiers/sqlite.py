"""SQLite: a snapshot by the backup API, a fence of triggers that refuse, since a file knows no users."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ... import faults
from ...provisioners import Place
from ...provisioners.sqlite import SqliteProvisioner
from ...provisioners.sqlite_files import cut_off, file_of, unfinished, with_companions
from ...server import Server
from ..contents import Contents, TableContents
from . import Door, Snapshot

CHUNK_BYTES = 1 << 20
BUSY_WAIT_S = 30.0
FENCE = "tenancy_fence"
REFUSAL = "tenancy: writes are refused while an operation goes on"
_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%'"
)


@dataclass(frozen=True)
class SqliteCopier:
    """See `Copier`."""

    server: Server

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return SqliteProvisioner(self.server).folder

    @contextmanager
    def snapshot(self, place: Place, *, is_compressed: bool) -> Iterator[Snapshot]:  # noqa: ARG002 -- as Copier's
        """See `Copier.snapshot`."""
        copy = unfinished(self._path(place))
        try:
            with closing(_open(self._path(place), "ro")) as source, closing(_open(copy, "rwc")) as target:
                source.backup(target)
                _remove_fence(target)
                target.execute("PRAGMA journal_mode = DELETE")
            with closing(_open(copy, "ro")) as found:
                facts = {"tenant_id": _stamp(found), "revision": _revision(found), "contents": _contents(found)}
            yield Snapshot(kind="sqlite", chunks=_chunks(copy), **facts)  # type: ignore[arg-type]  # as named
        finally:
            for each in with_companions(copy):
                each.unlink(missing_ok=True)

    def prepare(self, place: Place) -> None:
        """See `Copier.prepare`: a file appears when it is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for each in self._files(place):
            each.unlink(missing_ok=True)

    def load(self, place: Place, kind: str, chunks: Iterable[bytes]) -> None:
        """See `Copier.load`."""
        if kind != "sqlite":
            raise ValueError(f"A {kind} cannot be loaded into a SQLite file.")
        path = self._path(place)
        copy = unfinished(path)
        with copy.open("xb") as file:
            copy.chmod(0o600)
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        faults.point("load.written")
        with closing(_open(copy, "rw")) as loaded:
            if loaded.execute("PRAGMA quick_check(1)").fetchone() != (b"ok",):
                raise ValueError("the file that was loaded is no sound SQLite database")
            loaded.execute("PRAGMA journal_mode = WAL")
        copy.rename(path)

    def contents(self, place: Place) -> Contents:
        """See `Copier.contents`."""
        with closing(_open(self._path(place), "ro")) as connection:
            connection.execute("BEGIN")
            return _contents(connection)

    def owner_of(self, place: Place) -> str | None:
        """See `Copier.owner_of`."""
        with closing(_open(self._path(place), "ro")) as connection:
            return _stamp(connection)

    def set_door(self, place: Place, door: Door) -> None:
        """See `Copier.set_door`. What a state refuses is refused by `query_only` at each transaction; a fence is in the file itself."""
        path = self._path(place)
        if not path.exists():
            return
        with closing(_open(path, "rw")) as connection:
            is_shut = door in (Door.FENCED, Door.RETIRED)
            if not is_shut and not _fences(connection):
                return
            connection.execute("BEGIN IMMEDIATE")
            (_add_fence if is_shut else _remove_fence)(connection)
            connection.execute("COMMIT")

    def remains(self, place: Place) -> list[str]:
        """See `Copier.remains`."""
        return sorted(each.name for each in self._files(place) if each.exists())

    def _files(self, place: Place) -> list[Path]:
        path = self._path(place)
        return [*cut_off(path), *with_companions(path)]

    def _path(self, place: Place) -> Path:
        return file_of(self.folder, place.database)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY_WAIT_S, isolation_level=None)
    connection.text_factory = bytes  # a checksum minds no encoding
    return connection


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _names(connection: sqlite3.Connection, query: str) -> list[str]:
    return [row[0].decode() for row in connection.execute(query)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _fences(connection: sqlite3.Connection) -> list[str]:
    return _names(connection, "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'tenancy_fence_[0-9]*'")


def _add_fence(connection: sqlite3.Connection) -> None:
    _remove_fence(connection)
    for number, table in enumerate(_names(connection, _TABLES)):
        for verb in ("INSERT", "UPDATE", "DELETE"):
            name = _quoted(f"{FENCE}_{number}_{verb.lower()}")
            connection.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {_quoted(table)} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END")


def _remove_fence(connection: sqlite3.Connection) -> None:
    for name in _fences(connection):
        connection.execute(f"DROP TRIGGER {_quoted(name)}")


def _stamp(connection: sqlite3.Connection) -> str | None:
    return _first(connection, "tenancy_stamp", "SELECT tenant_id FROM tenancy_stamp")


def _revision(connection: sqlite3.Connection) -> str | None:
    return _first(connection, "alembic_version", "SELECT version_num FROM alembic_version")


def _first(connection: sqlite3.Connection, table: str, query: str) -> str | None:
    if table not in _names(connection, _TABLES):
        return None
    row = connection.execute(query).fetchone()
    return None if row is None else row[0].decode()


def _contents(connection: sqlite3.Connection) -> Contents:
    return {name: _table(connection, name) for name in _names(connection, _TABLES)}


def _table(connection: sqlite3.Connection, name: str) -> TableContents:
    """A sum of the rows' digests: it minds no order. Text and bytes of the same octets count as one, which a copy cannot change."""
    rows, total = 0, 0
    for row in connection.execute(f"SELECT * FROM {_quoted(name)}"):  # noqa: S608 -- quoted
        rows += 1
        total += int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=8).digest())
    return TableContents(rows=rows, checksum=f"{total % (1 << 64):016x}")
