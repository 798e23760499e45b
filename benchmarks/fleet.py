"""Migrations over a fleet: nothing to do, one revision, and a check of what is true; beside Alembic's own ways and django-tenants."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, insert, make_url
from sqlalchemy.orm import Session

from benchmarks import tenancy_restore
from benchmarks.measure import Amount
from benchmarks.report import Figure, Result, now
from benchmarks.tenancy_creation import django_tenants
from benchmarks.tenancy_fleet import Fleet, postgres_fleet, postgres_server, raw, sqlite_fleet
from roomtone_tenancy import TenantState
from roomtone_tenancy.fleet.rollout import Rollout
from roomtone_tenancy.models import TenantRow
from roomtone_tenancy.provisioners.postgresql import PostgresProvisioner

TABLES = 10
PARALLEL = 4  # of two cores, where the server has its part
FULL = {"tenants": 200, "files": 1000, "catalog": 10_000, "rounds": 3, "slow": 12}
QUICK = {"tenants": 12, "files": 60, "catalog": 10_000, "rounds": 1, "slow": 3}
DISK_FREE_MIN = 2 * 1024**3
STEP = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{new}", "{old}"

def upgrade():
    op.add_column("thing_1", sa.Column("c_{new}", sa.String(20), server_default="x"))
    op.create_index("ix_{new}", "thing_1", ["c_{new}"])
"""
DDL = "ALTER TABLE thing_1 ADD COLUMN c_{new} varchar(20) DEFAULT 'x'; CREATE INDEX ix_{new} ON thing_1 (c_{new})"
ENV = """
from alembic import context
from sqlalchemy import NullPool, create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def run(is_quick: bool) -> Result:
    """Measure all of it."""
    sizes = dict(QUICK if is_quick else FULL)
    notes = []
    sys.dont_write_bytecode = False  # our peers load the revisions again for each tenant, and may keep them compiled
    if (free := shutil.disk_usage(tempfile.gettempdir()).free) < DISK_FREE_MIN + sizes["tenants"] * 12 * 1024**2:
        sizes["tenants"] = max(10, int((free - DISK_FREE_MIN) / (12 * 1024**2)))
        notes.append(f"Scaled down to {sizes['tenants']} tenants: {free / 1024**3:.1f} GiB of disk are free.")
    with postgres_server(is_durable=True) as server_url, postgres_fleet(server_url, "control", tables=TABLES) as fleet:
        with raw(make_url(server_url)) as connection:
            version = connection.execute("SELECT current_setting('server_version')").fetchone()
        _populate(fleet, sizes["tenants"])
        rows, said = _revisions(fleet, sizes)
        rows.append(_verified(fleet, sizes))
        restored, told = _restored(fleet)
        with postgres_fleet(server_url, "many", tables=1) as many:
            rows.insert(0, _nothing(many, sizes["catalog"]))
    with sqlite_fleet(tables=TABLES) as files:
        _populate(files, sizes["files"])
        rows += [_files(files, sizes), *restored]
        also_restored, also_told = _restored(files)
        rows += also_restored
    notes += [
        f"Every tenant has {TABLES} tables. A revision adds a column and an index. Each way gets revisions of its own, in turns.",
        "Ours is timed from the call to the last tenant at the head, the new template included; afterwards the old template is dropped, "
        "which waits for a checkpoint. The peers have no template.",
        *said,
        *told,
        *also_told,
    ]
    return Result(name="fleet", is_quick=is_quick, rows=rows, notes=notes, at=now(), server=f"PostgreSQL {version[0] if version else ''}")


def _populate(fleet: Fleet, count: int) -> None:
    tenancy = fleet.tenancy()
    tenancy.spares.refill(count)
    for number in range(count):
        fleet.make(tenancy, f"t{number:05}")


def _restored(fleet: Fleet) -> tuple[list[Figure], list[str]]:
    with tempfile.TemporaryDirectory(prefix="roomtone-bench-") as folder:
        return tenancy_restore.measure(fleet, Path(folder))


# ── Nothing to do ────────────────────────────────────────────────────────


def _nothing(fleet: Fleet, count: int) -> Figure:
    """So many tenants in the catalog, all at the head: not one of their databases is there to be opened."""
    tenancy, opened = fleet.tenancy(), [0]
    tenancy.migrate()
    engine = next(engine for known, engine in fleet.opened if known is tenancy)
    common = {"state": TenantState.ACTIVE, "server": "main", "revision": tenancy.head, "attributes": {}}
    common |= dict.fromkeys(("created_at", "updated_at"), datetime.now(UTC))
    rows = [common | {"id": f"{number:032}", "key": f"made-up-{number}", "database": f"made_up_{number}"} for number in range(count)]
    with Session(engine) as session, session.begin():
        session.execute(insert(TenantRow), rows)
    with _counting(opened):
        seconds = Amount(each=tuple(_seconds(_migrate, fleet, Rollout()) for _ in range(3)), unit="s")
    assert opened[0] == 0, f"{opened[0]} connections"
    return Figure(what=f"nothing to do, {count:,} tenants, 0 tenant connections", ours=seconds, bar=1, unit="s")


@contextmanager
def _counting(opened: list[int]) -> Iterator[None]:
    """Count what the provisioner opens: every way into a tenant's database for a migration goes through it."""
    ways = {name: getattr(PostgresProvisioner, name) for name in ("owner_connection", "facts", "replay")}

    def counted(way: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            opened[0] += 1
            return way(*arguments, **options)

        return call

    for name, way in ways.items():
        setattr(PostgresProvisioner, name, counted(way))
    try:
        yield
    finally:
        for name, way in ways.items():
            setattr(PostgresProvisioner, name, way)


# ── One revision ─────────────────────────────────────────────────────────


def _revisions(fleet: Fleet, sizes: dict[str, int]) -> tuple[list[Figure], list[str]]:
    """Tenants a second, for each way. The slow ones get fewer tenants: their time does not depend on how many there are."""
    tenancy = fleet.tenancy()
    databases = [tenant.database or "" for tenant in tenancy.tenants()]
    rates: dict[str, list[float]] = {name: [] for name in ("ours", "alembic", "loop", "one", "ddl")}
    peers: list[float] = []
    version, steps = "", _steps(fleet)
    with django_tenants(fleet.server_url, TABLES) as peer:
        if peer is not None:
            version = peer.version
            peer.fill(sizes["slow"])
        for _ in range(sizes["rounds"]):
            next(steps)
            rates["ours"].append(len(databases) / _until_the_last(fleet, Rollout(parallel=PARALLEL)))
            next(steps)
            rates["alembic"].append(len(databases) / _until_the_last(fleet, Rollout(replay=False)))
            new, number = next(steps), sizes["slow"]
            with _project(fleet) as project:
                rates["loop"].append(number / _seconds(_each, _subprocess, databases[:number], project, fleet))
                rates["one"].append(number / _seconds(_each, _in_process, databases[number : 2 * number], project, fleet))
            rest = databases[2 * number :]
            rates["ddl"].append(len(rest) / _seconds(_each, _ddl, rest, new, fleet))
            _forget(fleet, new)
            if peer is not None:
                peers.append(sizes["slow"] / peer.migrate())
    amounts = {name: Amount(each=tuple(each), unit="tenants/s") for name, each in rates.items()}
    ours, what = amounts["ours"], f"one revision over {len(databases)} tenants"
    bars = {"loop": ("a loop of `alembic upgrade head`", 5.0), "one": ("Alembic in one process", 2.0)}
    rows = [_faster(what, ours, name, amounts[way], bar) for way, (name, bar) in bars.items()]
    django = f"{sum(peers) / len(peers):.1f} tenants/s" if peers else "could not be had"
    return rows, [
        f"Without replay, each revision by Alembic in one of our processes: {amounts['alembic']}.",
        f"The bare statements by psycopg, one tenant after another, without roles, locks and stamps: {amounts['ddl']}; "
        f"ours is {ours.median / amounts['ddl'].median:.2f} times that.",
        f"django-tenants {version}, migrate_schemas of a column and an index over {sizes['slow']} schemas of the same tables: {django}.",
    ]


def _faster(what: str, ours: Amount, peer: str, theirs: Amount, bar: float) -> Figure:
    """The median of the rounds' ratios: what slows the machine down for a round counts on both sides."""
    value = statistics.median(mine / other for mine, other in zip(ours.each, theirs.each, strict=True))
    return Figure(what=what, ours=ours, peer=peer, theirs=theirs, value=value, bar=bar, unit="×", is_least=True)


def _each(work: Callable[..., object], databases: list[str], *arguments: object) -> None:
    for database in databases:
        work(database, *arguments)


def _steps(fleet: Fleet) -> Iterator[str]:
    old = "tables"
    for number in itertools.count():
        new = f"s{number:03}"
        (fleet.revisions / "versions" / f"{new}.py").write_text(STEP.format(new=new, old=old))
        yield new
        old = new


def _migrate(fleet: Fleet, rollout: Rollout) -> None:
    status = fleet.tenancy().fleet.run(rollout)
    assert status.is_success, status.failures[:1]


def _until_the_last(fleet: Fleet, rollout: Rollout) -> float:
    """Seconds from the call, the new template included, to the last tenant at the head. The old template is dropped after that."""
    began, last = time.perf_counter(), [0.0]

    def tell(_key: str, _error: str | None) -> None:
        last[0] = time.perf_counter() - began

    status = fleet.tenancy().fleet.run(rollout, on_tenant=tell)
    assert status.is_success, status.failures[:1]
    return last[0]


@contextmanager
def _project(fleet: Fleet) -> Iterator[Path]:
    """What Alembic's own command needs beside the same revisions."""
    folder = Path(tempfile.mkdtemp(prefix="roomtone-bench-"))
    try:
        shutil.copytree(fleet.revisions / "versions", folder / "versions", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "env.py").write_text(ENV)
        yield folder
    finally:
        shutil.rmtree(folder)


def _url(fleet: Fleet, database: str) -> URL:
    return make_url(fleet.server_url).set(database=database)


def _ini(project: Path, fleet: Fleet, database: str) -> Path:
    path = project / "alembic.ini"
    url = _url(fleet, database).render_as_string(hide_password=False).replace("%", "%%")
    path.write_text(f"[alembic]\nscript_location = {project}\nsqlalchemy.url = {url}\n")
    return path


def _subprocess(database: str, project: Path, fleet: Fleet) -> None:
    arguments = [sys.executable, "-m", "alembic", "-c", str(_ini(project, fleet, database)), "upgrade", "head"]
    subprocess.run(arguments, check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""})


def _in_process(database: str, project: Path, fleet: Fleet) -> None:
    config = Config()
    config.set_main_option("script_location", str(project))
    config.set_main_option("sqlalchemy.url", _url(fleet, database).render_as_string(hide_password=False).replace("%", "%%"))
    command.upgrade(config, "head")


def _ddl(database: str, new: str, fleet: Fleet) -> None:
    with psycopg.connect(_url(fleet, database).set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute(DDL.format(new=new))
        connection.execute("UPDATE alembic_version SET version_num = %s", [new])


def _forget(fleet: Fleet, revision: str) -> None:
    """The catalog learns of what others did behind its back; the template is made anew while the clock is not running."""
    tenancy = fleet.tenancy()
    tenancy.fleet.verify(repair=True)
    assert {tenant.revision for tenant in tenancy.tenants()} == {revision}
    tenancy.migrate()


# ── What is true ─────────────────────────────────────────────────────────


def _verified(fleet: Fleet, sizes: dict[str, int]) -> Figure:
    rates = []
    for _ in range(sizes["rounds"] + 1):
        found = fleet.tenancy().fleet.verify()
        assert found.is_clean, found.drift[:1]
        rates.append(found.checked / found.seconds)
    return Figure(what="verified check", ours=Amount(each=tuple(rates[1:]), unit="tenants/s"), bar=100, unit="tenants/s", is_least=True)


def _files(files: Fleet, sizes: dict[str, int]) -> Figure:
    rates, steps = [], _steps(files)
    for _ in range(sizes["rounds"]):
        next(steps)
        rates.append(sizes["files"] / _until_the_last(files, Rollout(parallel=PARALLEL)))
    amount = Amount(each=tuple(rates), unit="files/s")
    return Figure(what=f"one revision over {sizes['files']:,} SQLite files", ours=amount, bar=100, unit="files/s", is_least=True)


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began
