"""Installs and upgrades this package's own tables, beside whatever else the database holds."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

VERSION_TABLE = "credits_alembic_version"
_UPGRADE_LOCK = 0x63726564  # "cred", so that two processes starting together upgrade once


def upgrade(engine: Engine) -> None:
    """Create the tables, or bring them to this version. Safe to call at every start, also from several processes.

    Effects: commits a transaction of its own; on PostgreSQL it waits for another upgrade under way.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """Return the Alembic configuration that works on `connection`."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    settings.attributes["version_table"] = VERSION_TABLE
    return settings
