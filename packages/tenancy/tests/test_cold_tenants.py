"""A long loop over tenants that are visited once each: what a worker does all night."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from roomtone_tenancy.models import TenantRow

WORKER = Path(__file__).parent / "cold_worker.py"
WARM = 500  # by then every cache is full
KEPT_BYTES_MAX = 3 * 1024 * 1024  # for a thousand tenants more; an engine each would be 4 MiB at the least


def visit(site, keys, look_after):
    """What the process looks like after so many tenants."""
    order = {
        "catalog_url": site.catalog_url,
        "server_url": site.server_url,
        "migrations": str(site.migrations),
        "keys": site.keys.to_text(),
    }
    order |= {"visits": keys, "look_after": look_after}
    done = subprocess.run([sys.executable, str(WORKER)], input=json.dumps(order), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def multiply(site, count):
    """Tenants with files of their own, made by copying the first one's: provisioning is not what is looked at."""
    first = site.make(site.tenancy(), "first")
    folder = Path(site.server_url.removeprefix("sqlite:///"))
    with Session(site.catalog) as session, session.begin():
        columns = session.execute(select(TenantRow.__table__)).mappings().one()
        rows = [dict(columns) | {"id": f"{n:032x}", "key": f"t{n}", "database": f"{first.database[:10]}c{n}"} for n in range(count)]
        session.execute(insert(TenantRow.__table__), rows)
    for row in rows:
        path = folder / f"{row['database']}.sqlite3"
        shutil.copyfile(folder / f"{first.database}.sqlite3", path)
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("UPDATE tenancy_stamp SET tenant_id = ?", [row["id"]])
        connection.close()
    return [row["key"] for row in rows]


@pytest.mark.parametrize("tenants", [1_500, pytest.param(5_000, marks=pytest.mark.machine)])
def test_memory_and_file_descriptors_do_not_grow_with_each_cold_tenant(sqlite_site, tenants):
    keys = multiply(sqlite_site, tenants)

    warm, done = visit(sqlite_site, keys, [WARM, tenants])

    assert done["rss"] - warm["rss"] < KEPT_BYTES_MAX
    assert done["files"] <= warm["files"]


def test_file_descriptors_do_not_grow_with_each_round_over_databases_of_a_server(postgres_site):
    tenancy = postgres_site.tenancy()
    keys = [postgres_site.make(tenancy, f"t{number}").key for number in range(8)]

    first, *_, last = visit(postgres_site, keys * 4, [8, 8 * 4])

    assert last["files"] <= first["files"]
    assert last["rss"] - first["rss"] < KEPT_BYTES_MAX
