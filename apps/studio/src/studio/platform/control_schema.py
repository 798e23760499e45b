"""Installs and upgrades the app's own tables of the control database, by Alembic, one process at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

MIGRATIONS = Path(__file__).parent.parent / "migrations" / "control"
VERSION_TABLE = "studio_alembic_version"


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('studio.control_schema'))"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
