"""Looks into tenants' databases: a connection each, so into a sample of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..migrate import Fleet
from ..provisioners import Place
from ..sites import Site
from .expected import Expected
from .findings import Finding, Severity, shell, sql

# Of extensions nothing is ours, nor of the system.
_PUBLIC = """
SELECT DISTINCT 'SCHEMA ' || quote_ident(n.nspname) FROM pg_namespace n, aclexplode(n.nspacl) AS acl
WHERE acl.grantee = 0 AND n.nspname !~ '^(pg_|information_schema$)'
AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND objid = n.oid AND deptype = 'e')
UNION
SELECT DISTINCT 'TABLE ' || c.oid::regclass
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS acl
WHERE acl.grantee = 0 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^(pg_|information_schema$)'
AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY 1
"""
_STRANGE = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_get_userbyid(c.relowner) <> %s AND n.nspname !~ '^(pg_|information_schema$)'
AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY 1
"""


@dataclass(frozen=True, kw_only=True)
class InsideChecks:
    """Those of one server's databases."""

    fleet: Fleet
    site: Site

    def of(self, it: Expected) -> Iterator[Finding]:
        """Whose it is, its revision, its indexes, and who may do what in it."""
        place = Place(database=it.database)
        try:
            facts = self.site.provisioner.facts(place)
            rights = list(self._rights(it, place)) if self.site.provisioner.has_roles else []
        except Exception as error:  # noqa: BLE001 -- whatever one database answers, the others are looked at
            yield self._unreadable(it, error)
            return
        if facts.stamp != it.id:
            yield Finding(
                check="stamp",
                severity=Severity.ERROR,
                subject=it.key,
                what=f"its database carries the stamp {facts.stamp or '(none)'}, not {it.id}.",
                why="It is another tenant's, or a copy of one; this library refuses to open it.",
                fix=shell(f"tenancy restore {it.key}"),
            )
            return
        yield from self._drift(it, facts.revision)
        for name in facts.invalid_indexes:
            yield Finding(
                check="index",
                severity=Severity.WARNING,
                subject=it.key,
                what=f"its index {name} was left half-built.",
                why="No query uses it, every write pays for it, and what it should keep unique it does not.",
                fix=sql(f"REINDEX INDEX CONCURRENTLY {name};", server=self.site.name, database=it.database),
            )
        yield from rights

    def _drift(self, it: Expected, found: str | None) -> Iterator[Finding]:
        known = self._revision(it)
        if known is not None and found != known[0]:
            yield Finding(
                check="drift",
                severity=Severity.ERROR,
                subject=it.key,
                what=f"the catalog says revision {known[0]}, its database {found}.",
                why="Migrations pass it by or begin at the wrong place, and version gates answer wrongly.",
                fix=shell("tenancy migrate verify --repair\ntenancy migrate run"),
            )

    def _revision(self, it: Expected) -> tuple[str | None] | None:
        """What the catalog says now, after the database was asked: a run may have passed by. None when it has gone on since."""
        with suppress(Exception):  # renamed or deleted meanwhile
            tenant = self.fleet.of.registry.fresh(it.key)
            if tenant.database == it.database and tenant.id == it.id:
                return (tenant.revision,)
        return None

    def _rights(self, it: Expected, place: Place) -> Iterator[Finding]:
        from ..provisioners.postgresql import connect  # needs psycopg

        with connect(self.site.server.parsed.set(database=it.database)) as inside:  # not as the owner: that would wait for a migration
            public, strange = _names(inside, _PUBLIC), _names(inside, _STRANGE, place.owner)
        if public:
            yield Finding(
                check="public-inside",
                severity=Severity.WARNING,
                subject=it.key,
                what=f"everybody may use {', '.join(name.lower() for name in public)}.",
                why="Whoever once may connect to the database, by mistake or for a report, may do this too.",
                fix=sql("\n".join(f"REVOKE ALL ON {name} FROM PUBLIC;" for name in public), server=self.site.name, database=it.database),
            )
        if strange:
            lines = [f'ALTER TABLE {name} OWNER TO "{place.owner}";' for name in strange]
            yield Finding(
                check="table-owner",
                severity=Severity.WARNING,
                subject=it.key,
                what=f"{', '.join(strange)} does not belong to {place.owner}.",
                why="The next migration that changes it fails, and the application's role may lack its rights.",
                fix=sql("\n".join(lines), server=self.site.name, database=it.database),
            )

    def _unreadable(self, it: Expected, error: Exception) -> Finding:
        return Finding(
            check="unreadable",
            severity=Severity.ERROR,
            subject=it.key,
            what=f"its database cannot be read: {type(error).__name__}: {error}".rstrip(". \n") + ".",
            why="What cannot be looked at cannot be served either.",
            fix=shell(f"tenancy restore {it.key}"),
        )


def _names(inside: Any, query: str, *values: str) -> Sequence[str]:  # psycopg's connection
    return [name for (name,) in inside.execute(query, values or None).fetchall()]
