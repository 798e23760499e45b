"""Fixtures: a healthy installation to plant faults into, on PostgreSQL (a server of its own) and on SQLite."""

from __future__ import annotations

import shlex
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from roomtone_tenancy.doctor import Finding, Where
from roomtone_tenancy.life.stores import FolderStore


@pytest.fixture
def own_site(own_postgres_url, installed, migrations) -> Iterator[object]:
    """On a server where nothing is open to everybody but what a test opens."""
    with _catalog(own_postgres_url) as catalog_url, installed(own_postgres_url, catalog_url, migrations) as site:
        yield site


@pytest.fixture(scope="module")
def own_options(tmp_path_factory):
    return {"backups": FolderStore(tmp_path_factory.mktemp("backups")), "cache_ttl_s": 0}


@pytest.fixture
def shared_site(module_site) -> Iterator[object]:
    """The module's site; what a test opens there is closed after it, or the server runs out of connections."""
    yield module_site
    module_site.close()
    module_site.opened.clear()
    module_site.engines.clear()


@pytest.fixture(scope="module")
def module_site(own_postgres_url, installed, own_options, tmp_path_factory) -> Iterator[object]:
    """Such a one for tests that each mend what they broke: with a tenant `a`, which has a backup."""
    folder = tmp_path_factory.mktemp("shared") / "migrations"
    (folder / "versions").mkdir(parents=True)
    with _catalog(own_postgres_url) as catalog_url, installed(own_postgres_url, catalog_url, folder) as site:
        tenancy = site.tenancy(**own_options)
        site.make(tenancy, "a")
        tenancy.backups.create("a")
        yield site


@pytest.fixture
def shared(shared_site, own_options):
    return shared_site.tenancy(**own_options)


@contextmanager
def _catalog(server_url):
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        for database in ("postgres", "template1", name):
            admin.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
        yield f"{server_url.rpartition('/')[0]}/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["postgresql", "sqlite"])
def healthy(request):
    """Both kinds, with nothing wrong."""
    return request.getfixturevalue("own_site" if request.param == "postgresql" else "sqlite_site")


@pytest.fixture
def apply():
    """Does what a finding says, as somebody who pastes it."""

    def apply(site, finding: Finding, run=None, *, answers="y\n") -> None:
        fix = finding.fix
        match fix.where:
            case Where.SQL:
                with site.admin(fix.database) as admin:
                    for statement in fix.text.splitlines():
                        admin.execute(statement)
            case Where.SHELL if fix.text.startswith("tenancy "):
                for line in fix.text.splitlines():
                    code, output = run(*shlex.split(line)[1:], answers=answers)
                assert code == 0, output  # of the last one: `verify --repair` is not content with what it found
            case Where.SHELL:
                subprocess.run(fix.text, shell=True, check=True)
            case Where.CODE:
                raise AssertionError("a test makes its Tenancy anew")

    return apply

    return psycopg.Error


@pytest.fixture
def eventually():
    """Waits until something holds, for 30 seconds at the most."""

    def eventually(holds, what):
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, what
            time.sleep(0.02)

    return eventually
