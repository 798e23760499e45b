"""What accounts may use: exceptions, counters, uses and holds."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

INSTANT = sa.DateTime(timezone=True)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "billing_override",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("feature", sa.String(100), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("granted", sa.BigInteger()),
        sa.Column("units", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("revoked_by", sa.Text()),
        _account_of("billing_override"),
        sa.PrimaryKeyConstraint("id", name="pk_billing_override"),
        sa.UniqueConstraint("account", "key", name="uq_billing_override_account_key"),
    )
    op.create_table(
        "billing_used",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("feature", sa.String(100), nullable=False),
        sa.Column("period_start", INSTANT, nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        _account_of("billing_used"),
        sa.PrimaryKeyConstraint("account", "feature", "period_start", name="pk_billing_used"),
    )
    op.create_table(
        "billing_use",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("feature", sa.String(100), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("used_at", INSTANT, nullable=False),
        _account_of("billing_use"),
        sa.PrimaryKeyConstraint("account", "key", name="pk_billing_use"),
    )
    op.create_index("ix_billing_use_used_at", "billing_use", ["used_at"])
    op.create_table(
        "billing_hold",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("feature", sa.String(100), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        _account_of("billing_hold"),
        sa.PrimaryKeyConstraint("account", "key", name="pk_billing_hold"),
    )
    op.create_index("ix_billing_hold_until", "billing_hold", ["until"])


def downgrade() -> None:
    for table in ("billing_hold", "billing_use", "billing_used", "billing_override"):
        op.drop_table(table)


def _account_of(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["account"], ["billing_account.account"], name=f"fk_{table}_account", ondelete="CASCADE")
