"""From the wish for a tenant to its active database: from a template, from the warm pool, as a file; and as django-tenants does it."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.measure import in_turns
from benchmarks.report import Figure
from benchmarks.tenancy_fleet import TABLES, Fleet
from roomtone_tenancy import Tenancy
from studio.control import ensure_database

PEER = Path(__file__).with_name("tenancy_django.py")


def measure(fleet: Fleet, pool: Fleet, files: Fleet, runs: int) -> tuple[list[Figure], list[str]]:
    """On PostgreSQL and in files, in turns with django-tenants.

    Args:
        pool: a fleet of its own on the same server, of which one spare is ready each time.
    """
    tenancy, sqlite = fleet.tenancy(), files.tenancy()
    fleet.make(tenancy, "first")
    files.make(sqlite, "first")
    ways = {"template": _ours(fleet, tenancy), "pool": _from_pool(pool), "file": _ours(files, sqlite), "raw": _clone(fleet)}
    with django_tenants(fleet.server_url) as peer:
        if peer is not None:
            ways |= {"schema": lambda: peer.make(""), "copy": lambda: peer.make("clone ")}
        timings = in_turns(ways, runs=runs)
    notes = [_steps(tenancy)]
    beside = {"peer": "– (django-tenants could not be had)", "theirs": None}
    if peer is not None:
        beside = {"peer": f"django-tenants {peer.version}: a schema, migrated", "theirs": timings["schema"]}
        notes.append(f"django-tenants' quicker way, a copy of a schema by a function in the database: {timings['copy']}.")
    notes.append(f"A bare CREATE DATABASE … TEMPLATE of the same tables, without roles, rights and stamp: {timings['raw']}.")
    what = f"a new tenant, {TABLES} tables, hardened"
    bars = {"template": ("from a template", 150), "pool": ("from the warm pool", 10), "file": ("a file", 5)}
    return [
        Figure(what=f"{what}: {name}", ours=timings[way], bar=bar, unit="ms", **beside)  # type: ignore[arg-type]  # peer and theirs
        for way, (name, bar) in bars.items()
    ], notes


def _ours(fleet: Fleet, tenancy: Tenancy) -> Callable[[], Callable[[], object]]:
    def make() -> Callable[[], object]:
        fleet.make(tenancy, key := f"new-{uuid.uuid4().hex[:12]}")
        return lambda: tenancy.delete(key)

    return make


def _from_pool(fleet: Fleet) -> Callable[[], Callable[[], object]]:
    """The spare for the next round is made when the clock is not running."""
    tenancy = fleet.tenancy()
    tenancy.spares.refill(1)

    def make() -> Callable[[], object]:
        fleet.make(tenancy, key := f"new-{uuid.uuid4().hex[:12]}")
        assert tenancy.spares.ready() == 0

        def clean_up() -> None:
            tenancy.delete(key)
            tenancy.spares.refill(1)

        return clean_up

    return make


def _steps(tenancy: Tenancy) -> str:
    steps = [f"{step.name} {(step.seconds or 0) * 1000:.0f}" for step in tenancy.progress("first").steps]
    return f"Steps of the first provisioning, which also made the template, ms: {', '.join(steps)}."


def _clone(fleet: Fleet) -> Callable[[], Callable[[], object]]:
    admin = psycopg.connect(fleet.server_url.replace("+psycopg", ""), autocommit=True)
    with psycopg.connect(fleet.catalog_url.replace("+psycopg", "")) as catalog:
        row = catalog.execute("SELECT database FROM tenancy_templates WHERE revision IS NOT NULL").fetchone()
    assert row is not None
    template, numbers = sql.Identifier(row[0]), itertools.count()

    def clone() -> Callable[[], object]:
        name = sql.Identifier(f"raw_{next(numbers)}")
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template))
        return lambda: admin.execute(sql.SQL("DROP DATABASE {}").format(name))

    return clone


@dataclass(frozen=True, kw_only=True)
class Peer:
    """django-tenants, in its own process."""

    version: str
    to: IO[str]
    says: IO[str]

    def make(self, how: str) -> Callable[[], object]:
        """Make a schema; what it returns drops it."""
        self._send(f"{how}new_{uuid.uuid4().hex[:12]}", "made")
        return lambda: self._send("drop", "dropped")

    def fill(self, count: int) -> None:
        """Have so many schemas, for `migrate`."""
        self._send(f"fill {count}", "filled")

    def migrate(self) -> float:
        """Add a column and an index to each schema, by a migration; returns the seconds that `migrate_schemas` took."""
        self.to.write("migrate\n")
        self.to.flush()
        return float(self.says.readline())

    def _send(self, line: str, answer: str) -> None:
        self.to.write(f"{line}\n")
        self.to.flush()
        assert self.says.readline().strip() == answer


@contextmanager
def django_tenants(server_url: str, tables: int = TABLES) -> Iterator[Peer | None]:
    """The peer on a database of its own, in an environment that uv makes for it; None where that cannot be had."""
    uv = shutil.which("uv")
    if uv is None:
        yield None
        return
    url = make_url(ensure_database(server_url, name="peer")).set(drivername="postgresql").render_as_string(hide_password=False)
    packages = [part for name in ("django-tenants", "psycopg[binary]") for part in ("--with", name)]
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable, *packages, "python", str(PEER)]
    process = subprocess.Popen([*command, url, str(tables)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = process.stdout.readline().split()
        yield Peer(version=ready[1], to=process.stdin, says=process.stdout) if ready[:1] == ["ready"] else None
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
