"""The catalog: tenants, domains, credentials, operations, lifecycle, leases, templates."""

import sqlalchemy as sa
from alembic import op

revision = "tenancy_0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tenancy_installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenancy_installation"),
    )
    _tenants()
    _operations()
    op.create_table(
        "tenancy_leases",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("owner", sa.String(300)),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tenancy_leases"),
    )
    op.create_table(
        "tenancy_templates",
        sa.Column("database", sa.String(63), nullable=False),
        sa.Column("server", sa.String(63), nullable=False),
        sa.Column("revision", sa.String(64)),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("database", name="pk_tenancy_templates"),
    )
    op.create_index("ix_tenancy_templates_server", "tenancy_templates", ["server"])


def _tenants() -> None:
    op.create_table(
        "tenancy_tenants",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("key", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("server", sa.String(63)),
        sa.Column("database", sa.String(63)),
        sa.Column("revision", sa.String(64)),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("migration_error", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenancy_tenants"),
        sa.UniqueConstraint("database", name="uq_tenancy_tenants_database"),
    )
    live = sa.text("state <> 'deleted'")
    op.create_index("uq_tenancy_tenants_live_key", "tenancy_tenants", ["key"], unique=True, postgresql_where=live, sqlite_where=live)
    op.create_index("ix_tenancy_tenants_server_state", "tenancy_tenants", ["server", "state"])
    op.create_table(
        "tenancy_domains",
        sa.Column("host", sa.String(253), nullable=False),
        _tenant("tenancy_domains"),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_tenancy_domains"),
    )
    op.create_index("ix_tenancy_domains_tenant_id", "tenancy_domains", ["tenant_id"])
    op.create_table(
        "tenancy_credentials",
        _tenant("tenancy_credentials"),
        sa.Column("role", sa.String(63), nullable=False),
        sa.Column("key_id", sa.String(63), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "role", name="pk_tenancy_credentials"),
    )
    op.create_table(
        "tenancy_lifecycle",
        sa.Column("id", sa.Integer(), nullable=False),
        _tenant("tenancy_lifecycle"),
        sa.Column("at", TIME, nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenancy_lifecycle"),
    )
    op.create_index("ix_tenancy_lifecycle_tenant_id", "tenancy_lifecycle", ["tenant_id"])


def _operations() -> None:
    op.create_table(
        "tenancy_operations",
        sa.Column("id", sa.Integer(), nullable=False),
        _tenant("tenancy_operations"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_tenancy_operations"),
    )
    op.create_index("ix_tenancy_operations_tenant_id", "tenancy_operations", ["tenant_id"])
    op.create_table(
        "tenancy_steps",
        sa.Column("operation_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("seconds", sa.Float()),
        sa.PrimaryKeyConstraint("operation_id", "position", name="pk_tenancy_steps"),
        sa.ForeignKeyConstraint(["operation_id"], ["tenancy_operations.id"], name="fk_tenancy_steps_operation_id", ondelete="CASCADE"),
    )


def _tenant(table: str) -> sa.Column[str]:
    reference = sa.ForeignKey("tenancy_tenants.id", name=f"fk_{table}_tenant_id", ondelete="CASCADE")
    return sa.Column("tenant_id", sa.String(32), reference, nullable=False)


def downgrade() -> None:
    for table in ("templates", "leases", "steps", "operations", "lifecycle", "credentials", "domains", "tenants", "installation"):
        op.drop_table(f"tenancy_{table}")
