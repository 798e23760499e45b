"""Install or upgrade this package's own tables: Alembic, with a version table of its own beside the host's."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

VERSION_TABLE = "billing_alembic_version"
# Any number that nobody else is likely to lock; advisory locks are per database.
_LOCK = 7_726_301_402


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables `billing_*` to that revision, in one transaction; nothing to do the second time.

    Effects:
        Concurrent callers wait for each other.
    """
    config = _config()
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        elif not getattr(connection.connection.dbapi_connection, "in_transaction", True):
            # SQLite's driver starts no transaction for DDL by itself, and would keep half a failed migration.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def is_current(engine: Engine) -> bool:
    """Whether the tables are those of this version of the package."""
    with engine.connect() as connection:
        found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
