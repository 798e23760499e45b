"""Events that name a charge and no customer."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("billing_inbox", sa.Column("charge", sa.String(255)))


def downgrade() -> None:
    op.drop_column("billing_inbox", "charge")
