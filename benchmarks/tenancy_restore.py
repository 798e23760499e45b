"""A tenant of 50 MB, backed up, put back and moved: how long, and how long its writes are refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text

from benchmarks.measure import Amount
from benchmarks.report import Figure
from benchmarks.tenancy_fleet import Fleet
from roomtone_tenancy import Tenancy
from roomtone_tenancy.life.stores import FolderStore
from roomtone_tenancy.provisioners import Place

T = TypeVar("T")
MEGABYTES = 50
_ROW_BYTES = 2000
# Digests do not compress: what is written, encrypted and read back is as large as it looks.
_FILL = {
    "postgresql": (
        "INSERT INTO ballast SELECT number, "
        "(SELECT string_agg(md5(number::text || '/' || part::text), '') FROM generate_series(1, 62) AS part) "
        "FROM generate_series(1, :rows) AS number"
    ),
    "sqlite": (
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < :rows) "
        "INSERT INTO ballast SELECT number, hex(randomblob(1000)) FROM numbers"
    ),
}


def measure(fleet: Fleet, folder: Path, *, megabytes: int = MEGABYTES) -> tuple[list[Figure], list[str]]:
    """On the fleet's server, once: the bar is far away. A restore compares rows and checksums, or it fails.

    Args:
        folder: where the backups go.
    """
    tenancy = fleet.tenancy(backups=FolderStore(folder))
    fleet.make(tenancy, "heavy")
    _fill(tenancy, fleet, megabytes)
    backup_s, backup = _timed(lambda: tenancy.backups.create("heavy"))
    restore_s, report = _timed(lambda: tenancy.backups.restore("heavy"))
    kind = _kind(fleet)
    figure = Figure(what=f"restore of {megabytes} MB, checksums equal ({kind})", ours=Amount(each=(restore_s,), unit="s"), bar=60, unit="s")
    notes = [
        f"Backing up the {megabytes} MB ({kind}): {backup_s:.1f} s, read back from end to end; {backup.size_bytes / 1e6:.0f} MB encrypted.",
        f"While it was put back ({kind}) writes were refused for {report.refused_s:.2f} s; {report.rows:,} rows were compared.",
    ]
    return [figure], notes


def _fill(tenancy: Tenancy, fleet: Fleet, megabytes: int) -> None:
    tenant = tenancy.tenant("heavy")
    with tenancy._sites[tenant.server].provisioner.owner_connection(Place(database=tenant.database or "")) as connection:
        connection.execute(text("CREATE TABLE ballast (id integer PRIMARY KEY, body text)"))
        connection.execute(text(_FILL[_kind(fleet)]), {"rows": megabytes * 1_000_000 // _ROW_BYTES})
        connection.commit()


def _kind(fleet: Fleet) -> str:
    return "sqlite" if fleet.server_url.startswith("sqlite") else "postgresql"


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.monotonic()
    done = work()
    return time.monotonic() - began, done
