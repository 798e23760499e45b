"""Tenants to measure with: a catalog and a server of PostgreSQL or of files, and a schema of so many tables."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.orm import Session

from roomtone_tenancy import KeyRing, PoolLimits, Server, Tenancy, schema
from studio.control import ensure_database
from studio.embedded import EmbeddedPostgres, find_binaries

TABLES = 60
KEYS = "bench:" + "A" * 43 + "="  # of throwaway servers
# Of each table: three columns, a foreign key to the table before it, and three indexes.
REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "tables", None

def upgrade():
    for number in range({tables}):
        op.create_table(
            f"thing_{{number}}",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(80), nullable=False, index=True),
            sa.Column("before_id", sa.Integer, *([sa.ForeignKey(f"thing_{{number - 1}}.id")] if number else []), index=True),
        )
    op.execute("INSERT INTO thing_0 (id, name) VALUES (1, 'one'), (2, 'two')")
"""


@dataclass(kw_only=True)
class Fleet:
    """Tenants with a thing each.

    Attributes:
        catalog_url: the control database.
        server_url: the superuser's, or the folder of files.
    """

    catalog_url: str
    server_url: str
    migrations: str
    opened: list[tuple[Tenancy, Engine]] = field(default_factory=list)

    @staticmethod
    def of(text: str) -> Fleet:
        """The fleet that another process wrote as text."""
        return Fleet(**json.loads(text))

    def to_text(self) -> str:
        """For another process."""
        return json.dumps({"catalog_url": self.catalog_url, "server_url": self.server_url, "migrations": self.migrations})

    @property
    def revisions(self) -> Path:
        """The folder of the tenants' revisions."""
        return Path(self.migrations)

    def tenancy(self, limits: PoolLimits | None = None, **options: Any) -> Tenancy:  # Any: Tenancy's own
        """One process's view of it. What was looked up stays known while we measure."""
        engine = create_engine(self.catalog_url, pool_pre_ping=True, pool_size=10)
        options.setdefault("cache_ttl_s", 600.0)
        server = Server("main", self.server_url, capacity=100_000)
        tenancy = Tenancy(engine, servers=[server], migrations=self.revisions, keys=KeyRing.from_text(KEYS), pools=limits, **options)
        self.opened.append((tenancy, engine))
        return tenancy

    def make(self, tenancy: Tenancy, key: str) -> None:
        """Sign a tenant up and wait until it is active."""
        engine = next(engine for known, engine in self.opened if known is tenancy)
        with Session(engine) as session, session.begin():
            tenancy.register(session, key, domains=[f"{key}.example"])
        tenancy.provision(key)

    def url(self, tenancy: Tenancy, key: str) -> URL:
        """Where the tenant's own role finds its database."""
        with tenancy.use(key), tenancy.session() as session:
            bind = session.get_bind()
            return bind.engine.url

    def close(self) -> None:
        """Close every connection."""
        for tenancy, engine in self.opened:
            tenancy.dispose()
            engine.dispose()


@contextmanager
def postgres_server(*, is_durable: bool) -> Iterator[str]:
    """A PostgreSQL server of its own for the length of the block; gives the superuser's URL."""
    folder = Path(tempfile.mkdtemp(prefix="roomtone-bench-"))
    server = EmbeddedPostgres(data=folder / "postgres", binaries=find_binaries(), durable=is_durable)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_fleet(server_url: str, name: str, *, tables: int = TABLES) -> Iterator[Fleet]:
    """A fleet with a catalog of this name on that server."""
    yield from _fleet(ensure_database(server_url, name=name), lambda _folder: server_url, tables)


@contextmanager
def sqlite_fleet(*, tables: int = TABLES) -> Iterator[Fleet]:
    """A fleet of files."""
    yield from _fleet(None, lambda folder: f"sqlite:///{folder}/tenants", tables)


def _fleet(catalog_url: str | None, server_url: Any, tables: int) -> Iterator[Fleet]:
    folder = Path(tempfile.mkdtemp(prefix="roomtone-bench-"))
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "migrations" / "versions" / "tables.py").write_text(REVISION.format(tables=tables))
    catalog_url = catalog_url or f"sqlite:///{folder}/catalog.sqlite3"
    engine = create_engine(catalog_url)
    schema.upgrade(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # as a host does that has several processes; kept in the file
    engine.dispose()
    fleet = Fleet(catalog_url=catalog_url, server_url=server_url(folder), migrations=str(folder / "migrations"))
    try:
        yield fleet
    finally:
        fleet.close()
        shutil.rmtree(folder, ignore_errors=True)


def raw(url: URL) -> psycopg.Connection[tuple[Any, ...]]:
    """The driver's own connection to the same place."""
    return psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
