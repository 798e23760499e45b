"""The steps of an import: tables by the migrations, rows in one transaction, compared with the file before the database is anybody's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import faults
from ..events import TenantImported
from ..making import sign
from ..provisioners.stamp import make_table
from .errors import ExportDamaged, NotPortable, NotVerified
from .newcomers import Newcomer
from .portable import archive
from .portable.archive import Archive
from .portable.manifest import TablePart
from .portable.tables import Books, Digest, Filling, Table, books_for
from .workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class Import:
    """See `Exports.load`."""

    shop: Workshop
    newcomer: Newcomer

    def do(self, step: str) -> None:
        """See `Steps`."""
        made, place, attempt = self.newcomer.made, self.newcomer.place, self.newcomer.attempt
        match step:
            case "roles":
                made.roles()
            case "database":
                made.database()
                self._books.blank(place)
            case "schema":
                self._make_tables()
            case "data":
                self._fill()
            case "verification":
                self._compare()
            case "migration":
                attempt.note(revision=self.shop.migrate(made.worker, place))
            case "stamp":
                sign(made.worker, place, made.worker.facts(place), attempt.tenant.id, title=attempt.tenant.key)
                made.worker.leave()
            case "activation":
                source = attempt.details["source"]
                self.newcomer.activate(f"imported from {source}", lambda tenant: TenantImported(tenant=tenant, source=source))

    def undo(self) -> bool:
        """There never was such a tenant."""
        return self.newcomer.drop()

    @property
    def _books(self) -> Books:
        return books_for(self.shop.of.sites[self.newcomer.made.server].server)

    def _make_tables(self) -> None:
        worker, place = self.newcomer.made.worker, self.newcomer.place
        with self._file() as found, worker.as_owner(place) as connection:
            make_table(connection)
            connection.commit()
            self.shop.of.revisions.upgrade(connection, to=found.manifest.revision)
        worker.secure(place)
        worker.leave()

    def _fill(self) -> None:
        """All rows or none: what a migration put there, or an attempt that was cut off, is replaced."""
        digests: dict[str, Any] = {}
        with self._file() as found, self._books.filling(self.newcomer.place) as filling:
            pairs = [(part, part.table, _like(part, filling)) for part in found.manifest.tables]
            if missing := {table.name for table in filling.tables} - {part.name for part in found.manifest.tables}:
                raise NotPortable(str(found.path), f"it has no table {min(missing)!r}, which its revision has here")
            filling.clear()
            for part, given, table in pairs:
                digest = Digest(given, table)
                filling.insert(table, given, _counted(found, part, digest))
                digests[part.name] = digest.value()
            filling.count_on([each.counter for each in found.manifest.counters])
            faults.point("import.filled")
            filling.finish()
            self.newcomer.attempt.note(given=digests, dialect=found.manifest.dialect)

    def _compare(self) -> None:
        """Read everything again, and compare what the file's and the database's columns can both say."""
        expected: Mapping[str, list[Any]] = self.newcomer.attempt.details["given"]
        unlike: list[str] = []
        with self._file() as file, self._books.reading(self.newcomer.place) as found:
            tables = {table.name: table for table in found.tables}
            for part in file.manifest.tables:
                here = _ordered(tables[part.name], part)
                digest = Digest(part.table, here)
                for row in found.rows(here):
                    digest.add(row)
                if digest.value() != expected[part.name]:
                    unlike.append(f"{part.name} has {digest.rows} rows of {part.rows}, or other values")
        if unlike:
            raise NotVerified(f"the import of {file.path.name}", tuple(unlike))

    @contextmanager
    def _file(self) -> Iterator[Archive]:
        """The file that was given, and no other."""
        facts = self.newcomer.attempt.details
        with archive.reading(Path(facts["path"]), bytes_max=facts["bytes_max"]) as found:
            if found.digest != facts["digest"]:
                raise ExportDamaged(facts["path"], "it is another file than when the import began")
            yield found


def _counted(found: Archive, part: TablePart, digest: Digest) -> Iterator[Any]:
    for row in found.rows(part):
        yield digest.add(row)


def _like(part: TablePart, filling: Filling) -> Table:
    """The table here that takes what the file has, with the same columns.

    Raises:
        NotPortable: there is none.
    """
    for table in filling.tables:
        if table.name == part.name:
            if {column.name for column in table.columns} != {column.name for column in part.columns}:
                raise NotPortable(part.name, "it has other columns here at the same revision")
            return table
    raise NotPortable(part.name, "there is no such table here at the same revision")


def _ordered(table: Table, part: TablePart) -> Table:
    """The table with its columns in the file's order."""
    columns = {column.name: column for column in table.columns}
    return Table(name=table.name, columns=tuple(columns[column.name] for column in part.columns))
