"""Runners as processes of their own, killed with SIGKILL: no tenant is skipped, and none is migrated twice."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from sqlalchemy import text

import roomtone_tenancy
from roomtone_tenancy.fleet.rollout import ItemState, RunState

POINTS = ["fleet.begun", "fleet.leased", "fleet.proved", "fleet.applied", "fleet.recorded"]
# Running it twice would show: the row is counted. {before} may kill the process between two of its statements.
ONCE = """
    import sqlalchemy as sa
    from alembic import op
    {imports}

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.add_column("artist", sa.Column("label", sa.String(20)))
        op.execute("INSERT INTO song (title) VALUES ('once')")
        {between}
        op.execute("INSERT INTO song (id, title) SELECT 7, NULL FROM artist WHERE name = 'breaks'")
        op.create_index("ix_artist_label", "artist", ["label"])
"""

pytestmark = pytest.mark.faults


def end_of(process):
    process.join(120)
    code = process.exitcode
    process.close()
    return code


def times_migrated(tenancy):
    """By tenant, how often the revision ran."""
    counts = {}
    for tenant in tenancy.tenants():
        with tenancy.use(tenant), tenancy.session() as session:
            counts[tenant.key] = session.scalar(text("SELECT count(*) FROM song WHERE title = 'once'"))
    return counts


def break_artist(tenancy, key):
    with tenancy.use(key), tenancy.session() as session:
        session.execute(text("INSERT INTO artist (name) VALUES ('breaks')"))
        session.commit()


def test_a_runner_killed_at_every_point_is_followed_by_one_that_goes_on(site, make_fleet, start):
    make_fleet(9)
    site.add_revision("r2", ONCE.format(imports="", between="pass"))
    tenancy = site.tenancy(cache_ttl_s=0)

    codes = [end_of(start(point=point)) for point in POINTS]
    last = end_of(start())

    assert (codes, last) == ([-signal.SIGKILL] * len(POINTS), 0)
    assert times_migrated(tenancy) == {f"t00{number}": 1 for number in range(9)}
    assert tenancy.fleet.verify().is_clean
    assert tenancy.fleet.status().is_success


def test_a_kill_between_two_statements_leaves_the_tenant_as_it_was(site, make_fleet, columns, start):
    old = make_fleet(1)
    # A line that comes again when the file is there: the second run finds it.
    between = "(os.kill(os.getpid(), 9) if not pathlib.Path(__file__ + '.again').exists() else None)"
    site.add_revision("r2", ONCE.format(imports="import os, pathlib", between=between))

    code = end_of(start())
    left_behind = columns(old, "t000"), times_migrated(old)
    (site.migrations / "versions" / "r2.py.again").touch()
    last = end_of(start())

    assert (code, last) == (-signal.SIGKILL, 0)
    assert left_behind == ({"id", "name"}, {"t000": 0})
    assert times_migrated(old) == {"t000": 1}


def test_two_runners_with_a_planted_failure_and_kills_skip_nobody_and_do_nobody_twice(site, make_fleet, start):
    count = 40 if site.kind == "sqlite" else 12
    broken = "t007"
    old = make_fleet(count)
    break_artist(old, broken)
    site.add_revision("r2", ONCE.format(imports="", between="pass"))
    kills = [(point, times) for times in (1, 2) for point in ("fleet.leased", "fleet.applied", "fleet.recorded")]
    lives = [*kills, ("", 1), ("", 1)]

    codes = []
    for pair in zip(lives[::2], lives[1::2], strict=True):
        runners = [start(point=point, times=times) for point, times in pair]
        codes += [end_of(runner) for runner in runners]
    tenancy = site.tenancy(cache_ttl_s=0)
    first, latest = tenancy.fleet.status(1), tenancy.fleet.status()

    assert set(codes) == {0, -signal.SIGKILL}
    assert times_migrated(tenancy) == {f"t{number:03}": int(f"t{number:03}" != broken) for number in range(count)}
    assert (first.state, [failure.key for failure in first.failures]) == (RunState.DONE, [broken])
    assert first.counts == {ItemState.DONE: count - 1, ItemState.QUARANTINED: 1}
    assert latest.id == first.id or latest.total == 1  # a runner that comes after the end tries the broken one again, and only that
    assert {drift.key for drift in tenancy.fleet.verify().drift} == {broken}


def test_every_point_of_runs_is_one_that_a_test_kills_at():
    folder = Path(roomtone_tenancy.__file__).parent / "fleet"

    named = {name for path in folder.rglob("*.py") for name in re.findall(r'faults\.point\("([^"]+)"\)', path.read_text())}

    assert named == set(POINTS)
