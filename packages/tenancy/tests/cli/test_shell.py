from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

HOST = """
import os
from pathlib import Path
from sqlalchemy import create_engine
from roomtone_tenancy import KeyRing, Server, Tenancy

def make():
    return Tenancy(
        create_engine(os.environ["CATALOG_URL"]),
        servers=[Server("main", os.environ["SERVER_URL"])],
        migrations=Path(os.environ["MIGRATIONS"]),
        keys=KeyRing.from_text(os.environ["KEYS"]),
    )
"""
# A stand-in for sqlite3, which is not on every machine: it takes the same arguments and says which it got.
SQLITE3 = f"""#!{sys.executable}
import sqlite3, sys
*options, path = sys.argv[1:]
print(*options[:1])
with sqlite3.connect(f"file:{{path}}?mode={{'ro' if '-readonly' in options else 'rw'}}", uri=True, isolation_level=None) as connection:
    for line in sys.stdin:
        print(*connection.execute(line).fetchall())
"""


class Shell:
    """`tenancy shell` as a process, for a site."""

    def __init__(self, site, folder: Path):
        (folder / "host.py").write_text(HOST)
        (folder / "bin").mkdir()
        (folder / "bin" / "sqlite3").write_text(SQLITE3)
        (folder / "bin" / "sqlite3").chmod(0o755)
        own = {"CATALOG_URL": site.catalog_url, "SERVER_URL": site.server_url, "MIGRATIONS": str(site.migrations), "KEYS": site.keys.to_text()}
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.options = {"cwd": folder, "env": {**os.environ, **own, "PATH": path, "PSQLRC": os.devnull, "TERM": "dumb"}}
        self.command = [sys.executable, "-c", "from roomtone_tenancy.cli import main; main()", "--app", "host:make", "shell"]

    def __call__(self, *arguments, given):
        return subprocess.run(
            [*self.command, *arguments], input=given, capture_output=True, text=True, check=False, timeout=120, **self.options
        )

    def on_terminal(self, *arguments, given):
        """What a person sees who types this."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*self.command, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, **self.options)
        os.close(theirs)
        seen = b""
        try:
            for number, typed in enumerate(given, 1):
                while seen.count(b">>> ") < number:
                    seen += os.read(ours, 4096)
                os.write(ours, typed.encode())
            while part := os.read(ours, 4096):
                seen += part
        except OSError:  # Linux tells the end of a terminal so
            pass
        os.close(ours)
        return process.wait(120), seen.decode()


@pytest.fixture
def tenancy(site):
    tenancy = site.tenancy()
    for key in ("acme", "globex"):
        site.make(tenancy, key)
        with tenancy.use(key), tenancy.session() as session, session.begin():
            session.execute(text("INSERT INTO artist (name) VALUES (:name)"), {"name": f"artist of {key}"})
    return tenancy


@pytest.fixture
def shell(site, tenancy, tmp_path):
    return Shell(site, tmp_path)


SCRIPT = """
from sqlalchemy import text
print(tenant.key, tenancy.current.key, *session.scalars(text("SELECT name FROM artist")))
"""
INSERT = "INSERT INTO artist (name) VALUES ('more')"


def test_a_script_runs_in_the_tenants_scope(shell):
    result = shell("acme", given=SCRIPT)

    assert (result.returncode, result.stdout) == (0, "acme acme artist of acme\n")
    assert result.stderr.startswith("Tenant acme: database rt_")


def test_a_person_gets_a_console_that_says_whose_it_is(shell):
    code, seen = shell.on_terminal("globex", given=["print(tenant.key.upper())\n", "\x04"])

    assert code == 0
    assert "Tenant globex: database rt_" in seen
    assert "GLOBEX" in seen


def test_what_is_not_committed_is_rolled_back(shell, tenancy):
    forgotten = shell("acme", given=f"from sqlalchemy import text\nsession.execute(text({INSERT!r}))\n")
    kept = shell("globex", given=f"from sqlalchemy import text\nsession.execute(text({INSERT!r}))\nsession.commit()\n")

    counts = []
    for key in ("acme", "globex"):
        with tenancy.use(key), tenancy.session() as session:
            counts.append(session.scalar(text("SELECT count(*) FROM artist")))
    assert (forgotten.returncode, kept.returncode, counts) == (0, 0, [1, 2])


def test_a_script_that_fails_fails_the_command(shell):
    result = shell("acme", given="raise OSError('no')")

    assert result.returncode == 1
    assert "OSError: no" in result.stderr


@pytest.mark.parametrize("options", [[], ["--sql"]], ids=["python", "sql"])
def test_a_suspended_tenant_is_refused(site, tenancy, shell, options):
    site.change(tenancy.suspend, "acme", reason="test")

    result = shell("acme", *options, given="")

    assert (result.returncode, result.stdout) == (1, "")
    assert "suspended" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_read_only_tenants_database_refuses_writes(site, tenancy, shell):
    site.change(tenancy.read_only, "acme", reason="test")

    python = shell("acme", given=f"from sqlalchemy import text\nsession.execute(text({INSERT!r}))\nsession.commit()\n")
    sql = shell("acme", "--sql", given=f"{INSERT};\n")

    assert python.returncode == 1
    assert "read-only" in python.stderr
    assert "(read_only)" in sql.stderr
    with tenancy.use("acme"), tenancy.session() as session:
        assert session.scalar(text("SELECT count(*) FROM artist")) == 1


def test_sql_is_for_the_tenants_own_database(site, shell):
    result = shell("acme", "--sql", given="SELECT name FROM artist;\n")

    assert result.returncode == 0
    assert "artist of acme" in result.stdout
    assert "globex" not in result.stdout
    assert result.stderr.startswith("Tenant acme: database rt_")


def test_psql_has_the_applications_rights_and_the_password_is_on_no_command_line(postgres_site, tmp_path):
    tenancy = postgres_site.tenancy()
    postgres_site.make(tenancy, "acme")
    with tenancy.use("acme"), tenancy.session() as session:
        role, password = session.get_bind().url.username, session.get_bind().url.password
    shell = Shell(postgres_site, tmp_path)

    result = shell("acme", "--sql", given="SELECT current_user;\n\\! tr '\\0' '\\n' < /proc/$PPID/cmdline\n")

    assert password
    assert role in result.stdout
    assert f"user={role}" in result.stdout
    assert "psql" in result.stdout
    assert password not in result.stdout


def test_an_unknown_tenant_is_one_line(shell):
    result = shell("nobody", given="")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: There is no tenant 'nobody'")
