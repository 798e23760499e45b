"""The table in each tenant's database that says whose it is."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Connection, DateTime, MetaData, String, Table, insert, select

from ..errors import StampMismatch

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


def stamp(connection: Connection, tenant_id: str, *, title: str) -> None:
    """Write the tenant's id.

    Raises:
        StampMismatch: the database carries another's; `title` is what the message calls the right one.
    """
    found = connection.scalar(select(STAMP.c.tenant_id))
    if found is None:
        connection.execute(insert(STAMP).values(tenant_id=tenant_id))
    elif found != tenant_id:
        raise StampMismatch(title, expected=tenant_id, found=found)
    connection.commit()
