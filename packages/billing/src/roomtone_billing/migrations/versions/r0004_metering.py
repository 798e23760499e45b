"""The outbox of metered use."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INSTANT = sa.DateTime(timezone=True)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "billing_metered",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("meter", sa.String(100), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("used_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("leased_until", INSTANT),
        sa.Column("tried_at", INSTANT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", INSTANT),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(["account"], ["billing_account.account"], name="fk_billing_metered_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_billing_metered"),
    )
    op.create_index("ix_billing_metered_account_meter_key", "billing_metered", ["account", "meter", "key"], unique=True)
    op.create_index("ix_billing_metered_state_id", "billing_metered", ["state", "id"])


def downgrade() -> None:
    op.drop_table("billing_metered")
