"""A fleet with a tenant that cannot be migrated, and runners that are killed, two at any time: nobody is skipped, nobody done twice."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import random
import shutil
import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from roomtone_tenancy.fleet.rollout import ItemState, Rollout

# Any number of runs of it succeed, each with a row more: only the library sees to it that there is one.
MARKS = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.execute("CREATE TABLE IF NOT EXISTS mark (said varchar(20))")
        op.execute("INSERT INTO mark (said) VALUES ('r2')")
        op.execute("INSERT INTO song (id, title) SELECT 7, NULL FROM artist WHERE name = 'breaks'")
"""
KILLS = 20
POINTS = ("fleet.begun", "fleet.proved", "fleet.leased", "fleet.applied", "fleet.recorded")
# Of 1,000 the 137th breaks, of fewer the one as far down. At the fewest there is work for every life: one on a leash migrates up to three.
TENANTS = {"postgresql": 80, "sqlite": 150}
TENANT_BYTES = {"postgresql": 16 * 1024**2, "sqlite": 256 * 1024}
DISK_FREE_MIN = 2 * 1024**3
WAIT_S = 300


@pytest.fixture
def size(request, site, capsys):
    """How many tenants there are."""
    wanted = request.config.getoption("--fleet-tenants") or TENANTS[site.kind]
    free = shutil.disk_usage(Path(__file__)).free
    count = min(wanted, (free - DISK_FREE_MIN) // TENANT_BYTES[site.kind])
    assert count >= TENANTS["postgresql"], f"{free / 1024**3:.1f} GiB of disk are too few"
    why = "to take less time" if count == wanted else f"for {free / 1024**3:.1f} GiB of disk are free"
    with capsys.disabled():
        print(f" [{site.kind}: {count} tenants, " + ("all] " if count >= 1000 else f"of 1,000, {why}] "), end="")
    return count


def write(tenancy, key, statement):
    with tenancy.use(key), tenancy.session() as session:
        session.execute(text(statement))
        session.commit()


def marks(tenancy):
    """How often the revision ran, by tenant; the one without the table was rolled back."""
    counted = {}
    for tenant in tenancy.tenants():
        with tenancy.use(tenant), tenancy.session() as session:
            is_there = session.scalar(
                text("SELECT count(*) FROM sqlite_master WHERE name = 'mark'")
                if session.get_bind().dialect.name == "sqlite"
                else text("SELECT count(*) FROM pg_tables WHERE tablename = 'mark'")
            )
            counted[tenant.key] = session.scalar(text("SELECT count(*) FROM mark")) if is_there else 0
    return counted


def kill_all(start):
    """Twenty lives, two at a time from the third on; their exit codes: one ends well if it never came to where it kills itself."""
    chance = random.Random(137)
    plans = [{"point": point} for point in POINTS]
    plans += [{"leash": chance.randint(1, 2)} for _ in range(KILLS - len(plans))]
    alone, rest = plans[:2], plans[2:]
    chance.shuffle(rest)
    waiting, living, ended = [*alone, *rest], [], []
    while waiting or living:
        at_once = 1 if len(ended) < len(alone) else 2
        while waiting and len(living) < at_once:
            living.append(start(batch=24, **waiting.pop(0)))
        assert multiprocessing.connection.wait([life.sentinel for life in living], timeout=WAIT_S)
        ended += [life.exitcode for life in living if life.exitcode is not None]
        living = [life for life in living if life.exitcode is None]
    return ended


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_nobody_is_skipped_or_done_twice_and_the_broken_one_is_done_when_it_is_mended(site, make_fleet, start, size):
    broken = f"t{size * 137 // 1000:03}"
    old = make_fleet(size)
    write(old, broken, "INSERT INTO artist (name) VALUES ('breaks')")
    site.add_revision("r2", MARKS)

    codes = kill_all(start)
    runners = [start(batch=24, parallel=4) for _ in range(2)]
    for runner in runners:
        runner.join(WAIT_S)
    tenancy = site.tenancy(cache_ttl_s=0)
    once, run = marks(tenancy), tenancy.fleet.status(1)
    write(tenancy, broken, "DELETE FROM artist")
    resumed = tenancy.fleet.resume()

    assert codes == [-signal.SIGKILL] * KILLS
    assert [runner.exitcode for runner in runners] == [0, 0]
    assert once == {f"t{number:03}": int(f"t{number:03}" != broken) for number in range(size)}
    assert run.counts == {ItemState.DONE: size - 1, ItemState.QUARANTINED: 1}
    assert [failure.key for failure in run.failures] == [broken]
    assert "NOT NULL" in run.failures[0].error.upper() or "NotNull" in run.failures[0].error
    assert resumed.is_success
    assert set(marks(tenancy).values()) == {1}
    assert tenancy.fleet.verify().is_clean
    assert tenancy.fleet.run(Rollout()).id is None
