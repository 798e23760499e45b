from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from click.testing import CliRunner

from roomtone_tenancy.cli import main

ONE_BY_ONE = """
import json, sys
from roomtone_tenancy.cli import main

for words in json.loads(sys.argv[1]):
    main(words, standalone_mode=False)
"""


@pytest.fixture
def told(tmp_path):
    """What the commands say one after the other, each as a shell would run it in a new folder."""

    def told(*commands, **environment):
        words = json.dumps([command.split() for command in commands])
        process = [sys.executable, "-c", ONE_BY_ONE, words]
        result = subprocess.run(process, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, **environment})
        return result.returncode, result.stdout, result.stderr

    return told


@pytest.fixture
def init(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *options: CliRunner().invoke(main, ["init", *options])


def test_what_init_wrote_runs_from_the_first_tenant_to_its_backup_and_back(told):
    code, said, _ = told("init", "create acme --domain acme.example", "list", "backup acme", "restore acme --dry-run", "doctor")

    lines = said.splitlines()
    assert code == 0
    assert lines[:4] == ["tenants.py", "migrations/versions/0001_first.py", "var/.gitignore", "var/tenancy.key"]
    assert lines[4:6] == ["acme: active on main", "acme\tactive\t0001\tmain\tacme.example"]
    assert lines[7].startswith("acme: would be put back to ")
    assert lines[8].startswith("all is well")


def test_init_for_postgresql_reads_the_servers_address_from_the_environment(told, database_url):
    lines = ["init --postgresql", "create acme", "list", "delete acme --yes --without-backup"]

    code, said, _ = told(*lines, DATABASE_URL=database_url)
    without = told("list", DATABASE_URL="")

    assert code == 0
    assert "\nacme: active on main\nacme\tactive\t0001\tmain\t-\nacme: deleted" in said
    assert without == (1, "", "DATABASE_URL is not set.\n")


@pytest.mark.parametrize("there", ["tenants.py", "var/tenancy.key"])
def test_init_replaces_nothing_and_then_writes_nothing(init, tmp_path, there):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")

    result = init()

    assert result.exit_code == 1
    assert there in result.output
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_the_master_key_is_its_owners_alone_and_no_part_of_the_repository(init, tmp_path):
    init("shop")

    private = tmp_path / "shop" / "var"
    assert (stat.S_IMODE(private.stat().st_mode), stat.S_IMODE((private / "tenancy.key").stat().st_mode)) == (0o700, 0o600)
    assert (private / ".gitignore").read_text() == "*\n"


def test_a_dry_run_says_the_files_and_writes_none(init, tmp_path):
    said = json.loads(init("--dry-run", "--json").output)

    assert said["is_written"] is False
    assert "tenants.py" in said["files"]
    assert list(tmp_path.iterdir()) == []


def test_who_did_not_begin_is_told_how(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    result = CliRunner().invoke(main, ["list"])

    assert result.exit_code == 2
    assert "Name yours, or begin with `tenancy init`." in " ".join(result.output.split())
