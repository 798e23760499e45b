"""Where long runs stand, and what reconciliations found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "billing_cursor",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("place", DOCUMENT, nullable=False),
        sa.Column("moved_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_billing_cursor"),
    )
    op.create_table(
        "billing_drift",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("customer", sa.String(255), nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("since", INSTANT),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("differences", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_billing_drift"),
    )
    op.create_index("ix_billing_drift_account_id", "billing_drift", ["account", "id"])


def downgrade() -> None:
    op.drop_table("billing_drift")
    op.drop_table("billing_cursor")
