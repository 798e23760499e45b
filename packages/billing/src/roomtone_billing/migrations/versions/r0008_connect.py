"""Accounts that take money from their own clients, and the payments they asked for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "billing_seller",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("stripe_account", sa.String(255)),
        sa.Column("truth", DOCUMENT),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("synced_at", INSTANT),
        sa.Column("is_dirty", sa.Boolean(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", INSTANT),
        sa.Column("retry_at", INSTANT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(["account"], ["billing_account.account"], name="fk_billing_seller_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account", name="pk_billing_seller"),
        sa.UniqueConstraint("stripe_account", name="uq_billing_seller_stripe_account"),
    )
    op.create_index("ix_billing_seller_is_dirty_retry_at", "billing_seller", ["is_dirty", "retry_at"])
    op.create_table(
        "billing_client_payment",
        sa.Column("stripe_account", sa.String(255), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("checkout", sa.String(255), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("offer", DOCUMENT, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("payment", sa.String(255)),
        sa.Column("truth", DOCUMENT, nullable=False),
        sa.Column("told", DOCUMENT, nullable=False),
        sa.Column("check_at", INSTANT),
        sa.Column("is_dirty", sa.Boolean(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["billing_account.account"], name="fk_billing_client_payment_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("stripe_account", "reference", name="pk_billing_client_payment"),
        sa.UniqueConstraint("stripe_account", "checkout", name="uq_billing_client_payment_stripe_account_checkout"),
    )
    op.create_index("ix_billing_client_payment_account_created_at", "billing_client_payment", ["account", "created_at"])
    op.create_index("ix_billing_client_payment_check_at", "billing_client_payment", ["check_at"])


def downgrade() -> None:
    op.drop_table("billing_client_payment")
    op.drop_table("billing_seller")
