"""The table in each tenant's database that says whose it is."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Connection, DateTime, MetaData, String, Table

METADATA = MetaData()
STAMP = Table(
    "tenancy_stamp",
    METADATA,
    Column("is_only", Boolean, primary_key=True, default=True),
    Column("tenant_id", String(32), nullable=False),
    Column("seeded_at", DateTime(timezone=True)),
    CheckConstraint("is_only", name="ck_tenancy_stamp_is_only"),
)


def make_table(connection: Connection) -> None:
    """Make the table where it is not there, empty: a template is nobody's."""
    METADATA.create_all(connection)
