"""Where a run of tests keeps its databases, and how the next one knows which of them nobody needs any more."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url

from ..key import PREFIX, random_text
from ..process import is_surely_dead, own_identity

if TYPE_CHECKING:
    import psycopg

_NAME = re.compile(r"[a-z0-9_]{1,20}", re.ASCII)
_OWNER = "owner"  # the file in a run's folder that says whose it is


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What belongs to one run: a catalog, and where its tenants go."""

    catalog_url: URL
    server_url: str


def ground_of(server_url: str, name: str) -> AbstractContextManager[Ground]:
    """Ground for one run, cleared afterwards; that of earlier runs of this name which ended without is cleared first.

    Raises:
        ValueError: the name is not one.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"The name of a sandbox has 1 to 20 of a-z, 0-9 and '_', which {name!r} has not.")
    url = make_url(server_url)
    return _folder(Path(url.database or "."), name) if url.get_backend_name() == "sqlite" else _databases(url, name)


@contextmanager
def _folder(root: Path, name: str) -> Iterator[Ground]:
    for owner in root.glob(f"roomtone_{name}_*/{_OWNER}"):
        if is_surely_dead(owner.read_text()):
            shutil.rmtree(owner.parent, ignore_errors=True)
    own = root / f"roomtone_{name}_{random_text(8)}"
    own.mkdir(parents=True)
    (own / _OWNER).write_text(own_identity())
    try:
        yield Ground(catalog_url=URL.create("sqlite", database=str(own / "catalog.sqlite3")), server_url=f"sqlite:///{own}/tenants")
    finally:
        shutil.rmtree(own, ignore_errors=True)


@contextmanager
def _databases(url: URL, name: str) -> Iterator[Ground]:
    """A run holds a lock named after its catalog for as long as it lives; what is not locked is nobody's."""
    prefix = f"roomtone_{name}_"
    with _connect(url) as admin:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        for (database,) in admin.execute(query, [prefix]).fetchall():
            if _lock(admin, database):
                _clear(admin, url, database)
                admin.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [database])
        own = prefix + random_text(8)
        assert _lock(admin, own)
        _do(admin, "CREATE DATABASE {}", own)
        try:
            yield Ground(catalog_url=url.set(database=own), server_url=url.render_as_string(hide_password=False))
        finally:
            _clear(admin, url, own)


def _lock(admin: psycopg.Connection, database: str) -> bool:
    row = admin.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [database]).fetchone()
    return bool(row and row[0])


def _clear(admin: psycopg.Connection, url: URL, catalog: str) -> None:
    """Drop the catalog, after everything that carries its installation's name."""
    with _connect(url.set(database=catalog)) as inside:
        row = inside.execute("SELECT to_regclass('tenancy_installation')").fetchone()
        names = inside.execute("SELECT name FROM tenancy_installation").fetchall() if row and row[0] else []
    for (name,) in names:
        prefix = f"{PREFIX}{name}_"
        for (database,) in admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchall():
            _do(admin, "ALTER DATABASE {} WITH IS_TEMPLATE false", database)
            _do(admin, "DROP DATABASE {} WITH (FORCE)", database)
        for (role,) in admin.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [prefix]).fetchall():
            _do(admin, "DROP ROLE {}", role)
    _do(admin, "DROP DATABASE {} WITH (FORCE)", catalog)


def _connect(url: URL) -> psycopg.Connection:
    import psycopg  # an extra

    return psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True)


def _do(admin: psycopg.Connection, statement: str, name: str) -> None:
    from psycopg import sql  # an extra

    admin.execute(sql.SQL(statement).format(sql.Identifier(name)))
