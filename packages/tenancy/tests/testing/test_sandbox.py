from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from roomtone_tenancy import KeyRing, Server, Tenancy
from roomtone_tenancy.events import SpareClaimed
from roomtone_tenancy.key import random_text
from roomtone_tenancy.testing import sandbox, temporary_tenant

RUN = """
    import os, sys
    from pathlib import Path
    from roomtone_tenancy import KeyRing, Server, Tenancy
    from roomtone_tenancy.testing import sandbox

    def make(catalog, server_url, clock):
        return Tenancy(catalog, servers=[Server("s", server_url)], migrations=Path(sys.argv[2]), keys=KeyRing.generate(), clock=clock)

    with sandbox(sys.argv[1], make, name=sys.argv[3]) as made, made.pair():
        os.kill(os.getpid(), 9)
"""
CONFTEST = """
    import os
    from pathlib import Path
    import pytest
    from roomtone_tenancy import KeyRing, Server, Tenancy
    from roomtone_tenancy.testing import sandbox

    pytest_plugins = ["roomtone_tenancy.testing.fixtures"]

    def make(catalog, server_url, clock):
        servers, migrations = [Server("s", server_url)], Path(os.environ["MIGRATIONS"])
        return Tenancy(catalog, servers=servers, migrations=migrations, keys=KeyRing.generate(), clock=clock)

    @pytest.fixture(scope="session")
    def tenancy_sandbox():
        with sandbox(os.environ["SERVER_URL"], make, name=os.environ["NAME"]) as made:
            yield made
"""
TESTS = """
    from datetime import timedelta
    import pytest
    from sqlalchemy import text

    def write(tenancy, tenant, name):
        with tenancy.use(tenant), tenancy.session() as db, db.begin():
            db.execute(text("INSERT INTO artist (id, name) VALUES (1, :name) ON CONFLICT (id) DO UPDATE SET name = :name"), {"name": name})
            return db.scalars(text("SELECT name FROM artist")).all()

    @pytest.mark.parametrize("number", range(3))
    def test_each_has_two_empty_tenants(tenancy, tenants, number):
        assert [write(tenancy, tenant, tenant.key) for tenant in tenants] == [[tenant.key] for tenant in tenants]

    def test_no_leak(tenancy, leak_detector):
        leak_detector(lambda tenant, mark: write(tenancy, tenant, mark), rounds=1)

    @pytest.mark.xfail(strict=True, raises=AssertionError)
    def test_a_leak(tenancy, tenants, leak_detector):
        leak_detector(lambda _, mark: write(tenancy, tenants[0], mark), rounds=1)

    @pytest.mark.parametrize("number", range(2))
    def test_the_clock_is_put_back(tenancy_clock, number):
        start = tenancy_clock._start
        assert tenancy_clock() == start
        tenancy_clock.advance(timedelta(days=1))
"""


@pytest.fixture
def name() -> str:
    """One that no other test's leftovers have."""
    return f"t{random_text(8)}"


@pytest.fixture
def server_url(site) -> str:
    return site.server_url


@pytest.fixture
def make(site):
    def make(catalog, server_url, clock):
        return Tenancy(catalog, servers=[Server("s", server_url)], migrations=site.migrations, keys=KeyRing.generate(), clock=clock)

    return make


@pytest.fixture
def left(site, tmp_path, name):
    """What of that name is on the server or in the folder."""

    def left() -> list[str]:
        if site.kind == "sqlite":
            return [path.name for path in tmp_path.glob(f"tenants/roomtone_{name}_*")]
        with psycopg.connect(site.server_url.replace("+psycopg", "")) as admin:
            rows = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"roomtone_{name}_"])
            return [row[0] for row in rows]

    return left


@pytest.fixture
def names_of_tenants(site, tmp_path):
    """Databases and roles, or files, of the installation whose catalog this is, or of all of them."""

    def names(catalog: str | None) -> set[str]:
        if site.kind == "sqlite":
            return {path.name for path in tmp_path.rglob("rt_*.sqlite3")}
        prefix = "rt_"
        with site.admin(catalog or "postgres") as admin:
            if catalog:
                prefix += admin.execute("SELECT name FROM tenancy_installation").fetchone()[0]
            rows = admin.execute("SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles").fetchall()
        return {name for (name,) in rows if name.startswith(prefix)}

    return names


def test_a_pair_is_active_apart_and_gone_afterwards(server_url, make, name, left, site):
    with sandbox(server_url, make, name=name) as made:
        with made.pair() as (one, other):
            with made.tenancy.use(made.tenancy.resolve(f"{one.key}.test")), made.tenancy.session() as session, session.begin():
                session.add(site.Artist(name="only here"))
            with made.tenancy.use(other), made.tenancy.session() as session:
                seen = session.scalars(select(site.Artist)).all()
        tenants = made.tenancy.tenants()

    assert (one.state, other.state, seen, tenants, left()) == ("active", "active", [], [], [])


def test_spares_are_made_while_tests_use_them_up(server_url, make, name, left):
    with sandbox(server_url, make, name=name, spares=2) as made:
        claimed = []
        made.tenancy.on(SpareClaimed)(claimed.append)
        for _ in range(2):
            with made.pair() as tenants:
                states = {tenant.state for tenant in tenants}
            while made.tenancy.spares.ready() < 2:
                pass

    assert (len(claimed), states, left()) == (4, {"active"}, [])


def test_a_test_may_delete_its_tenant_itself(server_url, make, name):
    with sandbox(server_url, make, name=name) as made, temporary_tenant(made.tenancy, made.catalog) as tenant:
        made.tenancy.delete(tenant.key)

        assert not made.tenancy.exists(tenant.key)


def test_what_a_killed_run_left_is_removed_by_the_next(server_url, make, name, left, names_of_tenants, site):
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(RUN), server_url, str(site.migrations), name], check=False)
    before, of_tenants = left(), names_of_tenants(*left())

    with sandbox(server_url, make, name=name):
        during = left()

    assert (killed.returncode, len(before), len(during), left()) == (-9, 1, 1, [])
    assert not set(before) & set(during)
    assert of_tenants
    assert not of_tenants & names_of_tenants(None)


def test_a_run_that_lives_is_left_alone(server_url, make, name, left):
    with sandbox(server_url, make, name=name) as first, first.tenant() as tenant, sandbox(server_url, make, name=name):
        seen = left()
        assert first.tenancy.tenant(tenant.key).state == "active"

    assert (len(seen), left()) == (2, [])


def test_a_name_that_could_mean_anothers_databases_is_refused(make):
    with pytest.raises(ValueError, match="1 to 20"), sandbox("sqlite:///x", make, name="%"):
        pass


def test_two_tenants_a_test_in_parallel_workers_and_nothing_left(site, tmp_path, name, left):
    project = tmp_path / "project"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    (project / "test_it.py").write_text(textwrap.dedent(TESTS))
    environment = {**os.environ, "SERVER_URL": site.server_url, "MIGRATIONS": str(site.migrations), "NAME": name}
    for variable in [each for each in environment if each.startswith("PYTEST_")]:
        del environment[variable]  # a worker's own, when these tests run in parallel themselves

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-W", "error", "--rootdir", str(project), str(project)],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "6 passed, 1 xfailed" in run.stdout, run.stdout + run.stderr
    assert left() == []
    assert not [path for path in Path(tmp_path).rglob("*.sqlite3") if "roomtone_" in str(path)]
