"""Accounts that are closed, until Stripe confirms it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "billing_closing",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("deletes_customer", sa.Boolean(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", INSTANT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("account", name="pk_billing_closing"),
    )
    op.create_index("ix_billing_closing_closed_at_retry_at", "billing_closing", ["closed_at", "retry_at"])


def downgrade() -> None:
    op.drop_table("billing_closing")
