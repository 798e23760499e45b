"""What is wrong with a PostgreSQL server and the databases and roles on it, as its shared catalogs tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..provisioners import Place
from ..server import PoolLimits, Server
from .expected import Expected
from .findings import Finding, Fix, Severity, Thresholds, code, shell, sql
from .postgresql_facts import ServerFacts

LAUNCH_S = 0.1
"""The shortest time between two starts of autovacuum."""
TIME_OUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@dataclass(frozen=True, kw_only=True)
class SettingChecks:
    """Those of the server's settings."""

    server: Server
    facts: ServerFacts
    limits: PoolLimits
    thresholds: Thresholds

    def all(self) -> Iterator[Finding]:
        """Each of them."""
        for check in (self.recovery, self.autovacuum, self.connections, self.time_outs):
            yield from check()

    def recovery(self) -> Iterator[Finding]:
        """A crash would be followed by minutes of asking for each file."""
        count, name = len(self.facts.databases), "recovery_init_sync_method"
        can = "syncfs" in self.facts.choices.get(name, ())
        if can and self.facts.settings[name] == "fsync" and count >= self.thresholds.databases:
            yield self._finding(
                "recovery",
                what=f"{name} is fsync, and there are {count} databases.",
                why="After a crash each of their files is synced before anybody is served: 1,225 databases took 75 s, with syncfs 2 s.",
                fix=f"ALTER SYSTEM SET {name} = 'syncfs';\nSELECT pg_reload_conf();",
            )

    def autovacuum(self) -> Iterator[Finding]:
        """Databases wait for autovacuum, for ever or for long."""
        count, settings = len(self.facts.databases), self.facts.settings
        for name in ("autovacuum", "track_counts"):
            if settings[name] == "off":
                yield self._finding(
                    "autovacuum",
                    severity=Severity.ERROR,
                    what=f"{name} is off.",
                    why="Tables grow with every update, plans get worse, and at last the server refuses all writes.",
                    fix=f"ALTER SYSTEM SET {name} = on;\nSELECT pg_reload_conf();",
                )
                return
        nap_s, round_s = float(settings["autovacuum_naptime"]), count * LAUNCH_S
        if round_s > nap_s:
            yield self._finding(
                "autovacuum",
                what=f"autovacuum needs {round_s:.0f} s for {count} databases at best, and autovacuum_naptime is {nap_s:.0f} s.",
                why="Its launcher never rests, and a busy tenant waits for its turn behind all the idle ones.",
                fix=f"ALTER SYSTEM SET autovacuum_naptime = '{math.ceil(1.5 * round_s)}s';\nSELECT pg_reload_conf();",
            )

    def connections(self) -> Iterator[Finding]:
        """The budget promises more connections than the server has; not asked where a pooler stands between."""
        settings = self.facts.settings
        kept = int(settings["superuser_reserved_connections"]) + int(settings.get("reserved_connections", 0))
        free = int(settings["max_connections"]) - kept
        if self.server.runtime_url is None and self.limits.per_server > free:
            yield self._finding(
                "connections",
                severity=Severity.ERROR,
                what=f"per_server allows {self.limits.per_server} connections, and max_connections leaves {free}.",
                why="Under load the server refuses whom the budget let through. Promise less, or raise max_connections.",
                fix=code(f"Tenancy(..., pools=PoolLimits(per_server={max(1, free * 4 // 5)}))"),
            )

    def time_outs(self) -> Iterator[Finding]:
        """The application asks for no time-outs."""
        lacking = [name for name in TIME_OUTS if name not in self.server.settings]
        if lacking:
            yield self._finding(
                "time-outs",
                what=f"its settings give tenants no {' and no '.join(lacking)}.",
                why="One query, lock or forgotten transaction of one tenant can hold connections and rows for ever.",
                fix=code(f'Server("{self.server.name}", url, settings={{**RUNTIME_SETTINGS, ...}})'),
            )

    def _finding(self, check: str, *, what: str, why: str, fix: Fix | str, severity: Severity = Severity.WARNING) -> Finding:
        mend = sql(fix, server=self.server.name) if isinstance(fix, str) else fix
        return Finding(check=check, severity=severity, subject=self.server.name, what=what, why=why, fix=mend)


@dataclass(frozen=True, kw_only=True)
class RightChecks:
    """Who may do what: databases, their owners, logins."""

    server: Server
    facts: ServerFacts
    tenants: Sequence[Expected]
    templates: Sequence[str]

    def all(self) -> Iterator[Finding]:
        """Each of them; of tenants whose database is there."""
        yield from self.public()
        yield from self.open_templates()
        for it in self.tenants:
            if it.database in self.facts.databases:
                yield from self.ownership(it)
                yield from self.login(it)
                yield from self.settings(it)
                yield from self.sorting(it)

    def public(self) -> Iterator[Finding]:
        """Databases that every login may connect to."""
        keys = {it.database: it.key for it in self.tenants}
        for each in self.facts.databases.values():
            if each.is_public and each.is_open:
                revoke = f'REVOKE CONNECT, TEMPORARY ON DATABASE "{each.name}" FROM PUBLIC;'
                grant = f'\n-- GRANT CONNECT ON DATABASE "{each.name}" TO those_that_need_it;' if each.name not in keys else ""
                yield Finding(
                    check="public",
                    severity=Severity.ERROR if each.name in keys else Severity.WARNING,
                    subject=keys.get(each.name, self.server.name),
                    what=f"every login on {self.server.name!r} may connect to the database {each.name!r}.",
                    why="A tenant's password then opens more than the tenant's own database. PostgreSQL grants this by default.",
                    fix=sql(revoke + grant, server=self.server.name),
                )

    def open_templates(self) -> Iterator[Finding]:
        """Templates that somebody could connect to."""
        for name in self.templates:
            found = self.facts.databases.get(name)
            if found is not None and found.is_open and found.is_template:
                yield Finding(
                    check="open-template",
                    severity=Severity.WARNING,
                    subject=self.server.name,
                    what=f"the template {name} accepts connections.",
                    why="While somebody is connected nothing can be cloned from it, and what is changed in it every new tenant gets.",
                    fix=sql(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false;', server=self.server.name),
                )

    def ownership(self, it: Expected) -> Iterator[Finding]:
        """Its owner's role is not its owner."""
        owner, found = Place(database=it.database).owner, self.facts.databases[it.database].owner.strip('"')
        if found != owner:
            yield Finding(
                check="owner",
                severity=Severity.ERROR,
                subject=it.key,
                what=f"its database belongs to {found}, not to {owner}.",
                why="Who owns a database may drop it and open it to others, and migrations run as the role that should own it.",
                fix=sql(f'ALTER DATABASE "{it.database}" OWNER TO "{owner}";', server=self.server.name),
            )

    def login(self, it: Expected) -> Iterator[Finding]:
        """Its login is not there, or may do too much."""
        role = self.facts.roles.get(it.role or "")
        if it.role is None or role is None or not role.may_log_in:
            yield Finding(
                check="login",
                severity=Severity.ERROR,
                subject=it.key,
                what=f"its login {it.role or '(none)'} is not on {self.server.name!r}, or may not log in.",
                why="The tenant cannot be served. The next rotation makes its other login.",
                fix=shell(f"tenancy rotate-passwords {it.key} --drain 0 --yes"),
            )
        elif role.is_powerful:
            yield Finding(
                check="powers",
                severity=Severity.ERROR,
                subject=it.key,
                what=f"its login {it.role} may do more on the server than log in.",
                why="What reaches the tenant's connection reaches the server and the other tenants.",
                fix=sql(f'ALTER ROLE "{it.role}" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;', server=self.server.name),
            )

    def settings(self, it: Expected) -> Iterator[Finding]:
        """Its login works without the server's settings, the time-outs among them."""
        if it.role not in self.facts.roles:
            return
        found = self.facts.role_settings.get((it.role or "", it.database), {})
        wanted = self.server.settings
        lacking = [name for name in wanted if name.lower() not in found or (name in TIME_OUTS and found[name] != wanted[name])]
        if lacking:
            lines = [f"""ALTER ROLE "{it.role}" IN DATABASE "{it.database}" SET {name} = '{_text(wanted[name])}';""" for name in lacking]
            yield Finding(
                check="settings",
                severity=Severity.WARNING,
                subject=it.key,
                what=f"its login lacks {', '.join(lacking)}.",
                why="A query, a lock or a forgotten transaction of this tenant is ended by nobody.",
                fix=sql("\n".join(lines), server=self.server.name),
            )

    def sorting(self, it: Expected) -> Iterator[Finding]:
        """Its indexes on text may be in an order that is no more."""
        if self.facts.databases[it.database].is_mis_sorted:
            lines = f'REINDEX DATABASE "{it.database}";\nALTER DATABASE "{it.database}" REFRESH COLLATION VERSION;'
            yield Finding(
                check="collation",
                severity=Severity.ERROR,
                subject=it.key,
                what="the server's C library sorts text otherwise than when its indexes were built.",
                why="Queries may miss rows, and unique constraints may let the same value in twice.",
                fix=sql(lines, server=self.server.name, database=it.database),
            )


def _text(value: str) -> str:
    return value.replace("'", "''")
