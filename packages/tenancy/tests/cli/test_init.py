from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

CODE = "from roomtone_tenancy.cli import main; main()"


@pytest.fixture
def tenancy_in(tmp_path):
    """The command, as a shell runs it in a new folder."""

    def tenancy_in(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-c", CODE, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )

    return tenancy_in


@pytest.fixture
def told(tenancy_in):
    def told(*arguments, **environment):
        result = tenancy_in(*arguments, **environment)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return told


def test_what_init_wrote_runs_from_the_first_tenant_to_its_backup_and_back(told):
    written = told("init").splitlines()

    assert written == ["tenants.py", "migrations/versions/0001_first.py", "var/.gitignore", "var/tenancy.key"]
    assert told("create", "acme", "--domain", "acme.example") == "acme: active on main\n"
    assert told("list") == "acme\tactive\t0001\tmain\tacme.example\n"
    told("backup", "acme")
    assert told("restore", "acme", "--dry-run").startswith("acme: would be put back to ")
    assert told("doctor").startswith("all is well")


def test_init_for_postgresql_reads_the_servers_address_from_the_environment(tenancy_in, told, database_url):
    told("init", "--postgresql")
    without = tenancy_in("list", DATABASE_URL="")

    assert without.returncode == 1
    assert without.stderr == "DATABASE_URL is not set.\n"
    assert told("create", "acme", DATABASE_URL=database_url) == "acme: active on main\n"
    assert told("list", DATABASE_URL=database_url) == "acme\tactive\t0001\tmain\t-\n"
    told("delete", "acme", "--yes", "--without-backup", DATABASE_URL=database_url)


@pytest.mark.parametrize("there", ["tenants.py", "var/tenancy.key"])
def test_init_replaces_nothing_and_then_writes_nothing(tenancy_in, tmp_path, there):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")

    result = tenancy_in("init")

    assert (result.returncode, result.stdout) == (1, "")
    assert there in result.stderr
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_the_master_key_is_its_owners_alone_and_no_part_of_the_repository(told, tmp_path):
    told("init", "shop")

    private = tmp_path / "shop" / "var"
    assert (stat.S_IMODE(private.stat().st_mode), stat.S_IMODE((private / "tenancy.key").stat().st_mode)) == (0o700, 0o600)
    assert (private / ".gitignore").read_text() == "*\n"


def test_a_dry_run_says_the_files_and_writes_none(told, tmp_path):
    said = json.loads(told("init", "--dry-run", "--json"))

    assert said["is_written"] is False
    assert "tenants.py" in said["files"]
    assert list(tmp_path.iterdir()) == []


def test_who_did_not_begin_is_told_how(tenancy_in):
    result = tenancy_in("list")

    assert result.returncode == 2
    assert "Name yours, or begin with `tenancy init`." in " ".join(result.stderr.split())


@pytest.mark.parametrize("command", [["--help"], ["create", "-h"], ["servers", "add", "--help"]])
def test_help_needs_no_application(told, command):
    assert told(*command).startswith("Usage: ")
