"""What is unfinished is found without reading what is done."""

import sqlalchemy as sa
from alembic import op

revision = "tenancy_0004"
down_revision = "tenancy_0003"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("finished_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_tenancy_operations_unfinished", "tenancy_operations", ["kind"], postgresql_where=_UNFINISHED, sqlite_where=_UNFINISHED
    )


def downgrade() -> None:
    op.drop_index("ix_tenancy_operations_unfinished", "tenancy_operations")
