"""Fixtures for a tenant's later life: two servers of a kind, a store of backups, rows to lose."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from roomtone_tenancy import Server, Tenancy, Tenant


@pytest.fixture
def two_servers(site, tmp_path) -> list[Server]:
    """`main` and `other`: two folders, or one PostgreSQL under two names, whose databases differ in name in any case."""
    other = site.server_url if site.kind == "postgresql" else f"sqlite:///{tmp_path}/elsewhere"
    return [Server("main", site.server_url), Server("other", other)]


@pytest.fixture
def fill():
    def fill(tenancy: Tenancy, site, key: str, *names: str) -> None:
        with tenancy.use(key), tenancy.session() as session:
            session.add_all([site.Artist(name=name) for name in names])
            session.commit()

    return fill


@pytest.fixture
def names():
    def names(tenancy: Tenancy, site, key: str) -> list[str]:
        with tenancy.use(key), tenancy.session() as session:
            return list(session.scalars(select(site.Artist.name).order_by(site.Artist.id)))

    return names


@pytest.fixture
def raw():
    """A connection with the tenant's own login, as a program that knows nothing of this library would make one."""

    def raw(tenancy: Tenancy, tenant: Tenant) -> psycopg.Connection:
        site, login = tenancy._sites[tenant.server], tenancy._credentials.current(tenant.id)
        url = site.server.parsed
        return psycopg.connect(
            host=url.host, port=url.port, user=login.role, password=login.password, dbname=tenant.database, autocommit=True
        )

    return raw


@pytest.fixture
def file_of():
    def file_of(tenancy: Tenancy, tenant: Tenant) -> Path:
        return tenancy._sites[tenant.server].provisioner.folder / f"{tenant.database}.sqlite3"

    return file_of
