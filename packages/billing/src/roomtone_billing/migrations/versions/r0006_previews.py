"""Changes that were shown and may be confirmed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "billing_preview",
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("claimed_until", INSTANT),
        sa.Column("outcome", DOCUMENT),
        sa.PrimaryKeyConstraint("token", name="pk_billing_preview"),
    )
    op.create_index("ix_billing_preview_account_claimed_until", "billing_preview", ["account", "claimed_until"])


def downgrade() -> None:
    op.drop_table("billing_preview")
