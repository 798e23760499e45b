"""Lots know their order, cost, beginning and use; charges their exact price; accounts carry what is less than a micro-credit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; lots that exist keep the order they were burnt in."""
    op.add_column("credits_account", sa.Column("carry_nano", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("credits_entry", sa.Column("priced_nano", sa.BigInteger()))
    for column in (
        sa.Column("effective_at", sa.DateTime(timezone=True)),
        sa.Column("priority", sa.Integer(), nullable=False, server_default="20"),
        sa.Column("cost_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("currency", sa.String(3)),
        sa.Column("models", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("features", sa.JSON(), nullable=False, server_default="[]"),
    ):
        op.add_column("credits_lot", column)
    op.execute(
        "UPDATE credits_lot SET priority = CASE kind WHEN 'pack' THEN 30 ELSE 10 END WHERE kind IN ('pack', 'allowance', 'promotion')"
    )
