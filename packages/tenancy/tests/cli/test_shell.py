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
# A stand-in for sqlite3 where it is not installed; it takes the same arguments.
SQLITE3 = f"""#!{sys.executable}
import sqlite3, sys
with sqlite3.connect(sys.argv[-1], uri=True) as connection:
    connection.executescript(sys.argv[-2])
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
        own = {"CATALOG_URL": site.catalog_url, "SERVER_URL": site.server_url, "MIGRATIONS": str(site.migrations)}
        path = f"{os.environ['PATH']}{os.pathsep}{folder / 'bin'}"
        own |= {"KEYS": site.keys.to_text(), "PATH": path, "PSQLRC": os.devnull, "TERM": "dumb"}
        self.options = {"cwd": folder, "env": {**os.environ, **own}}
        self.command = [sys.executable, "-c", "from roomtone_tenancy.cli import main; main()", "--app", "host:make", "shell"]

    def __call__(self, *arguments, given):
        command = [*self.command, *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120, **self.options)

    def on_terminal(self, *arguments, given):
        """What a person sees who types these, each at a prompt."""
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
    tenancy = site.tenancy(cache_ttl_s=0)
    for key in ("acme", "globex"):
        site.make(tenancy, key)
        with tenancy.use(key), tenancy.session() as session, session.begin():
            session.execute(text("INSERT INTO artist (name) VALUES (:name)"), {"name": f"artist of {key}"})
    return tenancy


@pytest.fixture
def run(site, run_on):
    """The command within this process, with what it reads from a pipe."""
    run = run_on(site)
    return lambda *arguments, given: run("shell", *arguments, answers=given)


@pytest.fixture
def shell(site, tenancy, tmp_path):
    return Shell(site, tmp_path)


SCRIPT = """
from sqlalchemy import text
print(tenant.key, tenancy.current.key, *session.scalars(text("SELECT name FROM artist")))
"""
INSERT = "INSERT INTO artist (name) VALUES ('more')"
WRITE = f"from sqlalchemy import text\nsession.execute(text({INSERT!r}))\n"


def artists(tenancy, key):
    with tenancy.use(key), tenancy.session() as session:
        return session.scalars(text("SELECT name FROM artist ORDER BY id")).all()


def test_a_script_runs_in_the_tenants_scope(tenancy, run):
    code, output = run("acme", given=SCRIPT)

    assert code == 0
    assert output.startswith("Tenant acme: database rt_")
    assert output.endswith("\nacme acme artist of acme\n")


def test_what_is_not_committed_is_rolled_back(tenancy, run):
    codes = [run("acme", given=WRITE)[0], run("globex", given=f"{WRITE}session.commit()\n")[0]]

    assert (codes, len(artists(tenancy, "acme")), len(artists(tenancy, "globex"))) == ([0, 0], 1, 2)


def test_a_script_that_fails_fails_the_command(tenancy, run):
    assert run("acme", given="raise OSError('no')")[0] == 1


@pytest.mark.parametrize("options", [[], ["--sql"]], ids=["python", "sql"])
def test_a_suspended_tenant_is_refused(site, tenancy, run, options):
    site.change(tenancy.suspend, "acme", reason="test")

    code, output = run("acme", *options, given="print('inside')")

    assert code == 1
    assert output.startswith("Error: ")
    assert "suspended" in output


def test_an_unknown_tenant_is_one_line(tenancy, run):
    code, output = run("nobody", given="")

    assert code == 1
    assert output.startswith("Error: There is no tenant 'nobody'")


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_person_gets_a_console_that_says_whose_it_is(shell):
    code, seen = shell.on_terminal("globex", given=["print(tenant.key.upper())\n", "\x04"])

    assert code == 0
    assert "Tenant globex: database rt_" in seen
    assert "GLOBEX" in seen


def test_a_read_only_tenants_database_refuses_writes(site, tenancy, run, shell):
    site.change(tenancy.read_only, "acme", reason="test")

    python, sql = run("acme", given=f"{WRITE}session.commit()\n"), shell("acme", "--sql", given=f"{INSERT};\n")

    assert python[0] == 1
    assert sql.stderr.startswith("Tenant acme (read_only): ")
    assert "read" in sql.stderr.partition("\n")[2]
    assert artists(tenancy, "acme") == ["artist of acme"]


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_sql_is_for_the_tenants_own_file(shell):
    result = shell("acme", "--sql", given="SELECT name FROM artist;\n")

    assert result.returncode == 0
    assert "artist of acme" in result.stdout
    assert "globex" not in result.stdout


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_psql_has_the_applications_rights_and_the_password_is_on_no_command_line(tenancy, shell):
    with tenancy.use("acme"), tenancy.session() as session:
        url = session.get_bind().url

    result = shell("acme", "--sql", given="SELECT name, current_user FROM artist;\n\\! tr '\\0' '\\n' < /proc/$PPID/cmdline\n")

    assert f"artist of acme | {url.username}" in result.stdout
    assert f"user={url.username}" in result.stdout  # the command line was seen
    assert url.password
    assert url.password not in result.stdout
