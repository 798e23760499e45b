"""What happened to each account's subscription, and suspensions that no payment lifts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "billing_history",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("before", DOCUMENT),
        sa.Column("after", DOCUMENT),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_billing_history"),
    )
    op.create_index("ix_billing_history_account_id", "billing_history", ["account", "id"])
    op.add_column("billing_account", sa.Column("suspended_at", INSTANT))
    op.add_column("billing_account", sa.Column("suspended_cause", sa.String(20)))
    op.add_column("billing_account", sa.Column("suspended_reason", sa.Text))


def downgrade() -> None:
    op.drop_column("billing_account", "suspended_reason")
    op.drop_column("billing_account", "suspended_cause")
    op.drop_column("billing_account", "suspended_at")
    op.drop_table("billing_history")
