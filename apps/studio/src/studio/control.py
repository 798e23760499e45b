"""The control database: on the server that `DATABASE_URL` names, else on an embedded one under the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from studio.config import Settings
from studio.embedded import EmbeddedPostgres, find_binaries
from studio.errors import SetupError

NAME = "roomtone"
VERSION_MIN = 150000


@contextmanager
def control_database(settings: Settings) -> Iterator[str]:
    """The control database's URL, made if it is missing; an embedded server that was started here is stopped at the end.

    Raises:
        SetupError: the server cannot be reached or is older than PostgreSQL 15.
        studio.embedded.EmbeddedPostgresError: the embedded server cannot start.
    """
    if settings.database_url is not None:
        yield ensure_database(settings.database_url.get_secret_value())
        return
    server = embedded_server(settings)
    started = server.start()
    try:
        yield ensure_database(server.url, name=NAME)
    finally:
        if started:
            server.stop()


def embedded_server(settings: Settings) -> EmbeddedPostgres:
    """The server under the data folder, not started."""
    return EmbeddedPostgres(data=settings.data.resolve() / "postgres", binaries=find_binaries())


def ensure_database(url: str, name: str | None = None) -> str:
    """Check the server and make the database if it is missing.

    Args:
        url: any PostgreSQL URL; its database is the control database unless `name` is given.
        name: the control database, on the same server.

    Returns:
        The URL as SQLAlchemy wants it.

    Raises:
        SetupError: what is wrong with the server, and what to do.
    """
    given = make_url(url).set(drivername="postgresql+psycopg")
    wanted = given.set(database=name) if name else given
    admin = given if name else given.set(database="postgres")
    try:
        with psycopg.connect(
            admin.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True, connect_timeout=10
        ) as connection:
            if connection.info.server_version < VERSION_MIN:
                raise SetupError(
                    f"PostgreSQL {connection.info.server_version // 10000} is too old: 15 or newer is needed. "
                    "Set DATABASE_URL to a newer server."
                )
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [wanted.database]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(wanted.database))))
    except psycopg.Error as error:
        where = f"{admin.host}:{admin.port or 5432}"
        raise SetupError(
            f"PostgreSQL at {where} refused: {str(error).strip()}. Check DATABASE_URL and that its role may create databases and roles."
        ) from error
    return wanted.render_as_string(hide_password=False)
