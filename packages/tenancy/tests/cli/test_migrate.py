from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import text

STATIC = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.add_column("artist", sa.Column("label", sa.String(20)))
        op.execute("INSERT INTO song (id, title) SELECT 1, NULL FROM artist WHERE name = 'breaks'")
"""
APP = """
from pathlib import Path
from sqlalchemy import create_engine
from roomtone_tenancy import KeyRing, Server, Tenancy

def make():
    return Tenancy(
        create_engine({catalog!r}), servers=[Server("main", {server!r})], migrations=Path({migrations!r}), keys=KeyRing.from_text({keys!r})
    )
"""


@pytest.fixture
def fleet(sqlite_site):
    """Three tenants at r1 and a second revision, which b cannot have."""
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b", "c"):
        sqlite_site.make(tenancy, key)
    with tenancy.use("b"), tenancy.session() as session:
        session.execute(text("INSERT INTO artist (name) VALUES ('breaks')"))
        session.commit()
    sqlite_site.add_revision("r2", STATIC)
    return sqlite_site


def mend(site):
    tenancy = site.tenancy()
    with tenancy.use("b"), tenancy.session() as session:
        session.execute(text("DELETE FROM artist"))
        session.commit()


def test_plan_shows_the_waves_and_the_statements_and_runs_nothing(fleet, run):
    code, output = run("migrate", "plan", "--first", "c")
    as_json = json.loads(run("migrate", "plan", "--json")[1])
    script = run("migrate", "plan", "--sql")[1]

    assert (code, output.splitlines()) == (
        0,
        ["0\tc\tmain\tr1\tr2", "1\ta\tmain\tr1\tr2", "1\tb\tmain\tr1\tr2", "head r2: 3 to migrate, 1 templates to make"],
    )
    assert [each["tenant"] for each in as_json["tenants"]] == ["a", "b", "c"]
    assert script.startswith("-- On main, from r1\n-- r1 -> r2")
    assert "ALTER TABLE artist ADD COLUMN label VARCHAR(20);" in script
    assert run("migrate", "status")[0] == 1  # there is no run yet


def test_run_status_and_resume_tell_people_and_programs_and_fail_until_all_is_well(fleet, run):
    ran = run("migrate", "run", "--parallel", "1", "--json")
    status, for_programs = run("migrate", "status"), run("migrate", "status", "--json")
    verified = run("migrate", "verify")
    mend(fleet)
    again = run("migrate")

    assert (ran[0], json.loads(ran[1])["counts"]["quarantined"]) == (1, 1)
    assert status[1].startswith("run 1 to r2: done\ndone\t2\nquarantined\t1\n")
    assert "b: IntegrityError" in status[1]
    assert json.loads(for_programs[1])["failures"][0]["tenant"] == "b"
    assert (verified[0], verified[1].splitlines()[0]) == (1, "b: at revision r1, not at r2; run migrate.")
    assert again == (0, "b: migrated\nhead r2: 1 migrated, 0 failed\n")
    assert run("migrate", "verify")[0] == 0
    assert json.loads(run("migrate", "verify", "--json")[1])["is_clean"]


def test_a_stopped_run_is_resumed(fleet, run):
    stopped = run("migrate", "run", "--first", "b")
    mend(fleet)
    resumed = run("migrate", "resume")

    assert (stopped[0], stopped[1].splitlines()[-1]) == (1, "head r2: 0 migrated, 1 failed (a tenant of the canary failed)")
    assert (resumed[0], resumed[1].splitlines()[-1]) == (0, "head r2: 3 migrated, 0 failed")
    assert run("migrate", "stop") == (0, "no run is running\n")
    assert run("migrate", "resume")[0] == 1


def test_settings_that_cannot_be_are_one_line(run):
    assert run("migrate", "run", "--parallel", "0")[1].startswith("Error: A Rollout needs")
    assert run("migrate", "verify", "--schema")[1].startswith("Error: verify(schema=True)")


@pytest.mark.faults
def test_several_processes_share_one_run(fleet, tmp_path):
    mend(fleet)
    values = {"catalog": fleet.catalog_url, "server": fleet.server_url, "migrations": str(fleet.migrations), "keys": fleet.keys.to_text()}
    (tmp_path / "host_of_processes.py").write_text(APP.format(**values))
    command = "import sys; from roomtone_tenancy.cli import main; main()"
    arguments = ["--app", "host_of_processes:make", "migrate", "run", "--processes", "2", "--batch", "1"]

    result = subprocess.run(
        [sys.executable, "-c", command, *arguments], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "head r2: 3 migrated, 0 failed")
