"""Accounts whose personal data are erased."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "billing_erasure",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("erased_at", INSTANT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", INSTANT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("account", name="pk_billing_erasure"),
    )
    op.create_index("ix_billing_erasure_erased_at_retry_at", "billing_erasure", ["erased_at", "retry_at"])


def downgrade() -> None:
    op.drop_table("billing_erasure")
