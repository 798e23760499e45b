"""First tables: accounts, inbox, outbox and what was handled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "billing_account",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("trial_plan", sa.Text()),
        sa.Column("trial_interval", sa.String(10)),
        sa.Column("trial_started_at", INSTANT),
        sa.Column("trial_until", INSTANT),
        sa.Column("customer", sa.String(255)),
        sa.Column("snapshot", DOCUMENT),
        sa.Column("synced_at", INSTANT),
        sa.Column("announced", DOCUMENT),
        sa.Column("phase", sa.String(20), nullable=False),
        sa.Column("phase_changes", sa.Integer(), nullable=False),
        sa.Column("check_at", INSTANT),
        sa.Column("is_dirty", sa.Boolean(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", INSTANT),
        sa.Column("retry_at", INSTANT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("account", name="pk_billing_account"),
        sa.UniqueConstraint("customer", name="uq_billing_account_customer"),
    )
    op.create_index("ix_billing_account_check_at", "billing_account", ["check_at"])
    op.create_index("ix_billing_account_is_dirty_retry_at", "billing_account", ["is_dirty", "retry_at"])
    op.create_table(
        "billing_inbox",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("stripe_account", sa.String(255), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.String(255), nullable=False),
        sa.Column("type", sa.String(255), nullable=False),
        sa.Column("customer", sa.String(255)),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("account", sa.String(200)),
        sa.Column("mark", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", INSTANT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_billing_inbox"),
        sa.UniqueConstraint("stripe_account", "livemode", "event_id", name="uq_billing_inbox_stripe_account_livemode_event_id"),
    )
    op.create_index("ix_billing_inbox_account_state", "billing_inbox", ["account", "state"])
    op.create_index("ix_billing_inbox_event_id", "billing_inbox", ["event_id"])
    op.create_index("ix_billing_inbox_state_id", "billing_inbox", ["state", "id"])
    op.create_table(
        "billing_outbox",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", INSTANT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_billing_outbox"),
        sa.UniqueConstraint("key", name="uq_billing_outbox_key"),
    )
    op.create_index("ix_billing_outbox_state_account_id", "billing_outbox", ["state", "account", "id"])
    op.create_table(
        "billing_handled",
        sa.Column("event", COUNTER, autoincrement=False, nullable=False),
        sa.Column("handler", sa.String(200), nullable=False),
        sa.Column("handled_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["billing_outbox.id"], name="fk_billing_handled_event", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event", "handler", name="pk_billing_handled"),
    )


def downgrade() -> None:
    for table in ("billing_handled", "billing_outbox", "billing_inbox", "billing_account"):
        op.drop_table(table)
