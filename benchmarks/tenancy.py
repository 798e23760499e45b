"""Tenants: what they cost when they are warm, idle, cold, new, and many."""

from __future__ import annotations

from sqlalchemy import make_url

from benchmarks import tenancy_creation, tenancy_memory, tenancy_request, tenancy_sandbox, tenancy_storm
from benchmarks.report import Figure, Result, Row, now
from benchmarks.tenancy_fleet import TABLES, postgres_fleet, postgres_server, raw, sqlite_fleet

FULL = {"warm": 1000, "cold": 60, "creation": 30, "tenants": 1000, "budget": 60, "requests": 30_000, "weighings": 3, "own": 40}
QUICK = {"warm": 60, "cold": 5, "creation": 2, "tenants": 40, "budget": 20, "requests": 600, "weighings": 1, "own": 3}
NOTES = (
    "One process on an embedded PostgreSQL that syncs every commit to disk. Ours and theirs are timed in turns; differences and "
    "ratios are medians of the rounds' own.",
    f"Every tenant has {TABLES} tables with three indexes each. The storm's have one, on a server that does not wait for the disk: "
    "it only reads.",
)


def run(is_quick: bool) -> Result:
    """Measure all of it."""
    runs = QUICK if is_quick else FULL
    parts: list[tuple[list[Row] | list[Figure], list[str]]] = []
    with (
        postgres_server(is_durable=True) as server_url,
        postgres_fleet(server_url, "control") as fleet,
        postgres_fleet(server_url, "pool") as pool,
        sqlite_fleet() as files,
    ):
        with raw(make_url(server_url)) as connection:
            version = connection.execute("SELECT current_setting('server_version')").fetchone()
        parts += [
            tenancy_request.warm(fleet, runs["warm"]),
            tenancy_request.cold(fleet, runs["cold"]),
            tenancy_creation.measure(fleet, pool, files, runs["creation"]),
        ]
    with postgres_server(is_durable=False) as server_url, postgres_fleet(server_url, "control", tables=1) as fleet:
        keys = tenancy_storm.populate(fleet, runs["tenants"])
        parts += [
            tenancy_memory.measure(fleet, keys, times=runs["weighings"], own_engines=runs["own"]),
            tenancy_storm.measure(fleet, keys, requests=runs["requests"], budget=runs["budget"]),
            tenancy_sandbox.measure(fleet, runs["creation"]),
        ]
    rows = [row for found, _ in parts for row in found]
    notes = [*NOTES, *(note for _, said in parts for note in said)]
    server = f"PostgreSQL {version[0] if version else ''}"
    return Result(name="tenancy", is_quick=is_quick, rows=rows, notes=notes, at=now(), server=server)
