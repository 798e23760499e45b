"""Installs and upgrades the catalog's own tables, with a version table of their own beside the host's."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, text

from . import run_models  # noqa: F401 -- its tables are part of the metadata
from .key import random_text
from .models import CatalogRow, InstallationRow
from .revisions import Revisions

VERSION_TABLE = "tenancy_alembic_version"
_LOCK = 7_205_759_403_792_794  # any constant: an advisory lock's name within the control database


def upgrade(engine: Engine) -> str:
    """Bring the catalog's tables to this package's newest revision; safe to call from several processes at once.

    Returns:
        The revision that the catalog is at.

    Effects:
        Creates and alters tables named `tenancy_*`, commits, and waits for another process that does the same.
    """
    revisions = Revisions(folder=Path(__file__).parent / "migrations", version_table=VERSION_TABLE, metadata=CatalogRow.metadata)
    with engine.connect() as connection:
        locked = connection.dialect.name == "postgresql"
        if locked:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.commit()
        try:
            head = revisions.upgrade(connection)
            _name_installation(connection)
        finally:
            connection.rollback()
            if locked:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
                connection.commit()
    return head


def _name_installation(connection: Connection) -> None:
    """Draw the name once. Two that race on SQLite both insert id 1, and one of them fails aloud."""
    if connection.scalar(select(InstallationRow.id)) is None:
        connection.execute(insert(InstallationRow).values(id=1, name=random_text(6)))
    connection.commit()
