"""What is wrong with any kind of server: what should be there and is not, and the reverse, and room for files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ..key import PREFIX
from ..migrate import Fleet
from ..provisioners import Place
from ..sites import Site
from .expected import Expected, expected
from .findings import Finding, Fix, Severity, Thresholds, shell, sql

_ENDS = ("_a", "_b", "_runtime", "_owner")
_LOOPBACK = frozenset({None, "", "localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True)
class ServerChecks:
    """Those of one server."""

    fleet: Fleet
    site: Site
    thresholds: Thresholds

    def missing(self, tenants: Sequence[Expected], names: Mapping[str, str]) -> list[Expected]:
        """Tenants whose database is not there, also when the catalog is asked again: one may just have been moved or deleted."""
        lost = [it for it in tenants if it.database not in names]
        if not lost:
            return []
        still = {(it.id, it.database) for it in expected(self.fleet.of.catalog).get(self.site.name, ())}
        return [it for it in lost if (it.id, it.database) in still]

    def say_missing(self, lost: Sequence[Expected]) -> Iterator[Finding]:
        """A finding for each."""
        for it in lost:
            yield Finding(
                check="missing",
                severity=Severity.ERROR,
                subject=it.key,
                what=f"its database {it.database} is not on {self.site.name!r}.",
                why="Every request of the tenant fails. It was dropped or moved behind this library's back.",
                fix=shell(f"tenancy restore {it.key}"),
            )

    def names(self) -> Mapping[str, str]:
        """What is there and bears our prefix, with what it is."""
        return self.site.provisioner.names(f"{PREFIX}{self.fleet.of.registry.installation()}_")

    def orphans(self, names: Mapping[str, str], known: set[str]) -> Iterator[Finding]:
        """Databases, files and roles that nothing in the catalog accounts for.

        Args:
            known: databases that the catalog knew before the names were read; it is asked once more here.
        """
        known = known | self.fleet.databases()
        ours = {name for database in known for name in (database, *Place(database=database).roles)}
        found: dict[str, list[str]] = {}
        for name in sorted(names.keys() - ours):
            found.setdefault(_database(name) if names[name] == "role" else name, []).append(name)
        for database, parts in found.items():
            yield Finding(
                check="orphan",
                severity=Severity.WARNING,
                subject=database,
                what=f"{', '.join(parts)} on {self.site.name!r} is no tenant's, spare's or template's.",
                why="It takes space and is backed up, restored and migrated by nobody. Look inside before you drop it.",
                fix=self._drop({name: names[name] for name in parts}),
            )

    def inodes(self, folder: Path | None) -> Iterator[Finding]:
        """A file system that soon has no room for another file; where it can be seen from here."""
        try:
            seen = os.statvfs(folder) if folder is not None else None
        except OSError:
            return
        if seen is not None and seen.f_files and seen.f_ffree / seen.f_files < self.thresholds.free_inodes:
            yield Finding(
                check="inodes",
                severity=Severity.WARNING,
                subject=self.site.name,
                what=f"{seen.f_ffree:,} of the {seen.f_files:,} files that its disk can hold are left.",
                why="A PostgreSQL database takes hundreds. At none left every tenant's writes fail, however many bytes are free.",
                fix=shell(f"tenancy servers drain {self.site.name}"),
            )

    def data_folder(self, said: str | None) -> Path | None:
        """The server's folder, or the nearest one above it that we may see, when the server is on this machine."""
        if said is None or self.site.server.parsed.host not in _LOOPBACK:
            return None
        return next((each for each in (Path(said), *Path(said).parents) if os.access(each, os.X_OK)), None)

    def unreachable(self, error: Exception) -> Finding:
        """It does not answer."""
        url = self.site.server.parsed
        return Finding(
            check="unreachable",
            severity=Severity.ERROR,
            subject=self.site.name,
            what=f"it cannot be asked: {type(error).__name__}: {error}".rstrip(". \n") + ".",
            why="Nobody on it is served, and nothing else of it could be looked at.",
            fix=shell(f"pg_isready -h {url.host or 'localhost'} -p {url.port or 5432}"),
        )

    def _drop(self, parts: Mapping[str, str]) -> Fix:
        if self.site.server.is_sqlite:
            folder = Path(self.site.server.parsed.database or ".").resolve()
            return shell("rm " + " ".join(f"{quote(str(folder / name))}.sqlite3*" for name in parts))
        bases = [name for name, kind in parts.items() if kind == "database"]
        unmade = ('ALTER DATABASE "{}" IS_TEMPLATE false;', 'DROP DATABASE "{}" WITH (FORCE);')
        lines = [line.format(name) for name in bases for line in unmade]
        lines += [f'DROP ROLE "{name}";' for name, kind in parts.items() if kind == "role"]
        return sql("\n".join(lines), server=self.site.name)


def _database(name: str) -> str:
    """The database that a role's name was made from."""
    return next((name.removesuffix(end) for end in _ENDS if name.endswith(end)), name)
