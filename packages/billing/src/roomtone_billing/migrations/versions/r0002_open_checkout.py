"""The checkout page that is open, so that a second one can close it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("billing_account", sa.Column("checkout", sa.String(255)))


def downgrade() -> None:
    op.drop_column("billing_account", "checkout")
