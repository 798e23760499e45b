"""Runs of migrations over the fleet, and when tenants were last active; doors, copies and proofs of a tenant's life."""

import sqlalchemy as sa
from alembic import op

revision = "tenancy_0003"
down_revision = "tenancy_0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _runs()
    _lives()
    op.create_table(
        "tenancy_activity",
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_tenancy_activity"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenancy_tenants.id"], name="fk_tenancy_activity_tenant_id", ondelete="CASCADE"),
    )
    op.create_index("ix_tenancy_activity_seen_at", "tenancy_activity", ["seen_at"])


def _lives() -> None:
    op.add_column("tenancy_tenants", sa.Column("is_fenced", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("tenancy_tenants", sa.Column("door", sa.String(16), server_default="open"))
    op.add_column("tenancy_tenants", sa.Column("delete_at", TIME))
    op.add_column("tenancy_operations", sa.Column("details", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("tenancy_lifecycle", sa.Column("proof", sa.JSON()))
    op.create_table(
        "tenancy_copies",
        sa.Column("database", sa.String(63), nullable=False),
        sa.Column("server", sa.String(63), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("drop_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("database", name="pk_tenancy_copies"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenancy_tenants.id"], name="fk_tenancy_copies_tenant_id", ondelete="CASCADE"),
    )
    op.create_index("ix_tenancy_copies_tenant_id", "tenancy_copies", ["tenant_id"])


def _runs() -> None:
    op.create_table(
        "tenancy_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_tenancy_runs"),
    )
    running = sa.text("state = 'running'")
    op.create_index("uq_tenancy_runs_running", "tenancy_runs", ["state"], unique=True, postgresql_where=running, sqlite_where=running)
    op.create_table(
        "tenancy_run_items",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("server", sa.String(63), nullable=False),
        sa.Column("before", sa.String(64)),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(300)),
        sa.Column("leased_until", TIME),
        sa.Column("not_before", TIME),
        sa.Column("way", sa.String(16)),
        sa.Column("seconds", sa.Float()),
        sa.Column("error", sa.Text()),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_tenancy_run_items"),
        sa.ForeignKeyConstraint(["run_id"], ["tenancy_runs.id"], name="fk_tenancy_run_items_run_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenancy_tenants.id"], name="fk_tenancy_run_items_tenant_id", ondelete="CASCADE"),
    )
    op.create_index("ix_tenancy_run_items_run_id_state", "tenancy_run_items", ["run_id", "state"])
    op.create_index("ix_tenancy_run_items_tenant_id", "tenancy_run_items", ["tenant_id"])
    op.create_table(
        "tenancy_proofs",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("server", sa.String(63), nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("run_id", "server", "revision", name="pk_tenancy_proofs"),
        sa.ForeignKeyConstraint(["run_id"], ["tenancy_runs.id"], name="fk_tenancy_proofs_run_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    for table, columns in (("lifecycle", ["proof"]), ("operations", ["details"]), ("tenants", ["is_fenced", "door", "delete_at"])):
        for column in columns:
            op.drop_column(f"tenancy_{table}", column)  # not in a batch, which would lose the log's triggers
    for table in ("copies", "proofs", "run_items", "runs", "activity"):
        op.drop_table(f"tenancy_{table}")
