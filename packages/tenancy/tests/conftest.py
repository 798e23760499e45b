"""Fixtures: one catalog and one server per test, on PostgreSQL and on SQLite, with two small revisions."""

from __future__ import annotations

import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, ForeignKey, NullPool, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from roomtone_tenancy import KeyRing, PoolLimits, Server, Tenancy, Tenant, schema
from roomtone_tenancy.cli import main

FIRST = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r1", None, None, None

    def upgrade():
        op.create_table("artist", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(80), nullable=False))
        op.create_table(
            "song",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("title", sa.String(80), nullable=False),
            sa.Column("artist_id", sa.Integer, sa.ForeignKey("artist.id")),
        )
"""
EXTENSION = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        if op.get_bind().dialect.name == "postgresql":
            op.execute("CREATE EXTENSION btree_gist")
        op.create_table("room", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(80)))
"""


class Base(DeclarativeBase):
    pass


class Artist(Base):
    __tablename__ = "artist"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    songs: Mapped[list[Song]] = relationship(back_populates="artist")


class Song(Base):
    __tablename__ = "song"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    artist_id: Mapped[int | None] = mapped_column(ForeignKey("artist.id"))
    artist: Mapped[Artist | None] = relationship(back_populates="songs")


@dataclass
class Site:
    """One catalog, one server and as many `Tenancy` objects on them as a test asks for."""

    kind: str
    catalog_url: str
    server_url: str
    migrations: Path
    keys: KeyRing = field(default_factory=KeyRing.generate)
    opened: list[Tenancy] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    Artist: type = Artist
    Song: type = Song

    @property
    def catalog(self) -> Engine:
        if not self.engines:
            self.engine()
        return self.engines[0]

    def engine(self) -> Engine:
        self.engines.append(create_engine(self.catalog_url))
        if self.kind == "sqlite":  # no test pulls the plug, and every step of an operation commits
            event.listen(self.engines[-1], "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        return self.engines[-1]

    def tenancy(self, **options) -> Tenancy:
        """Another process's view when called twice: a catalog engine and caches of its own."""
        options.setdefault("servers", [Server("main", self.server_url)])
        options.setdefault("pools", PoolLimits(wait_s=1))
        options.setdefault("keys", self.keys)
        if options.get("cache_ttl_s") == 0:
            options.setdefault("listen", False)  # who asks each time must not begin to believe its memory when it hears the first news
        self.opened.append(Tenancy(self.engine(), migrations=self.migrations, **options))
        return self.opened[-1]

    def register(self, tenancy: Tenancy, key: str, **options) -> Tenant:
        with Session(self.catalog) as session, session.begin():
            return tenancy.register(session, key, **options)

    def make(self, tenancy: Tenancy, key: str, **options) -> Tenant:
        self.register(tenancy, key, **options)
        return tenancy.provision(key)

    def change(self, verb: Callable[..., Tenant], key: str, *arguments, **options) -> Tenant:
        with Session(self.catalog) as session, session.begin():
            return verb(session, key, *arguments, **options)

    def add_revision(self, name: str, text: str) -> None:
        (self.migrations / "versions" / f"{name}.py").write_text(textwrap.dedent(text))

    def admin(self, database: str = "postgres") -> psycopg.Connection:
        """The superuser's own connection, to look at the server behind the library's back."""
        return psycopg.connect(self.server_url.replace("+psycopg", "").rsplit("/", 1)[0] + f"/{database}", autocommit=True)

    def close(self) -> None:
        for tenancy in self.opened:
            tenancy.dispose()
        for engine in self.engines:
            engine.dispose()


def _sweep(site: Site) -> None:
    """Drop what the test's installation left on the shared server."""
    with create_engine(site.catalog_url, poolclass=NullPool).connect() as connection:
        name = connection.exec_driver_sql("SELECT name FROM tenancy_installation").scalar()
    with site.admin() as admin:
        for (database,) in admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"rt_{name}_"]).fetchall():
            admin.execute(f'ALTER DATABASE "{database}" IS_TEMPLATE false')
            admin.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
        for (role,) in admin.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [f"rt_{name}_"]).fetchall():
            admin.execute(f'DROP ROLE "{role}"')


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    return tmp_path / "migrations"


@pytest.fixture
def sqlite_site(tmp_path: Path, migrations: Path) -> Iterator[Site]:
    site = Site("sqlite", f"sqlite:///{tmp_path}/catalog.sqlite3", f"sqlite:///{tmp_path}/tenants", migrations)
    site.add_revision("r1", FIRST)
    schema.upgrade(site.catalog)
    yield site
    site.close()


@pytest.fixture(scope="session")
def installed() -> Callable[..., AbstractContextManager[Site]]:
    """For a server's URL, an empty database's and a folder for migrations: an installation, swept at the end of the `with`."""

    @contextmanager
    def installed(server_url: str, catalog_url: str, migrations: Path) -> Iterator[Site]:
        site = Site("postgresql", catalog_url, server_url, migrations)
        site.add_revision("r1", FIRST)
        schema.upgrade(site.catalog)
        yield site
        site.close()
        _sweep(site)

    return installed


@pytest.fixture
def postgres_site(installed, postgres_url: str, database_url: str, migrations: Path) -> Iterator[Site]:
    with installed(postgres_url, database_url, migrations) as site:
        yield site


@pytest.fixture(params=["postgresql", "sqlite"])
def site(request: pytest.FixtureRequest) -> Site:
    """The same test on both kinds of server."""
    return request.getfixturevalue("postgres_site" if request.param == "postgresql" else "sqlite_site")


@pytest.fixture
def extension() -> str:
    """A second revision; on PostgreSQL it needs an extension."""
    return EXTENSION


@pytest.fixture
def run_on(monkeypatch):
    """For a site: runs a command against a fresh Tenancy on it, with these answers to questions; returns its exit code and lines."""

    def on(site, **options):
        module = types.ModuleType("host_of_cli_test")
        module.make = lambda: site.tenancy(**options)
        module.other = dict
        monkeypatch.setitem(sys.modules, module.__name__, module)

        def run(*arguments, factory="make", answers=None):
            result = CliRunner().invoke(main, ["--app", f"{module.__name__}:{factory}", *arguments], input=answers)
            return result.exit_code, result.output

        return run

    return on
