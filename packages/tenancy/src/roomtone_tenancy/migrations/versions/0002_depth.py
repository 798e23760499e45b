"""Servers, spares, processes, domain verification, a second login role; changes are announced and the log is append-only."""

import sqlalchemy as sa
from alembic import op

revision = "tenancy_0002"
down_revision = "tenancy_0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
APPEND_ONLY = "tenancy_lifecycle only grows"
# Payload, for both rows: {"tenant": id, "key": its key}, {"tenant": id, "host": one host} or {"tenant": null, "server": name}.
NOTIFY = """
CREATE FUNCTION tenancy_announce() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE name text := TG_ARGV[0]; word text := TG_ARGV[1]; id text := TG_ARGV[2];
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('tenancy_changes', json_build_object('tenant', to_json(OLD)->>id, word, to_json(OLD)->>name)::text);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('tenancy_changes', json_build_object('tenant', to_json(NEW)->>id, word, to_json(NEW)->>name)::text);
    END IF;
    RETURN NULL;
END $$
"""
REFUSE = f"""
CREATE FUNCTION tenancy_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '{APPEND_ONLY}';
END $$
"""


def upgrade() -> None:
    op.create_table(
        "tenancy_servers",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("key_id", sa.String(63)),
        sa.Column("secret", sa.LargeBinary()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tenancy_servers"),
    )
    op.create_table(
        "tenancy_spares",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("server", sa.String(63), nullable=False),
        sa.Column("database", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("revision", sa.String(64)),
        sa.Column("role", sa.String(63)),
        sa.Column("key_id", sa.String(63)),
        sa.Column("secret", sa.LargeBinary()),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenancy_spares"),
        sa.UniqueConstraint("database", name="uq_tenancy_spares_database"),
    )
    op.create_index("ix_tenancy_spares_server", "tenancy_spares", ["server"])
    op.create_table(
        "tenancy_processes",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("identity", sa.String(300), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenancy_processes"),
    )
    op.create_index("ix_tenancy_processes_seen_at", "tenancy_processes", ["seen_at"])
    op.add_column("tenancy_operations", sa.Column("owner", sa.String(300)))
    op.add_column("tenancy_credentials", sa.Column("is_current", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "tenancy_domain_claims",
        sa.Column("host", sa.String(253), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("host", "tenant_id", name="pk_tenancy_domain_claims"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenancy_tenants.id"], name="fk_tenancy_domain_claims_tenant_id", ondelete="CASCADE"),
    )
    op.create_index("ix_tenancy_domain_claims_tenant_id", "tenancy_domain_claims", ["tenant_id"])
    op.add_column("tenancy_domains", sa.Column("verified_at", TIME))
    if op.get_bind().dialect.name == "postgresql":
        _postgresql_triggers()
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER tenancy_lifecycle_{verb.lower()} BEFORE {verb} ON tenancy_lifecycle "
                f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
            )


def _postgresql_triggers() -> None:
    op.execute(NOTIFY)
    announced = (("tenants", "key", "key", "id"), ("domains", "host", "host", "tenant_id"), ("servers", "name", "server", ""))
    for table, column, word, tenant in announced:
        op.execute(
            f"CREATE TRIGGER tenancy_{table}_announce AFTER INSERT OR UPDATE OR DELETE ON tenancy_{table} "
            f"FOR EACH ROW EXECUTE FUNCTION tenancy_announce('{column}', '{word}', '{tenant}')"
        )
    op.execute(REFUSE)
    op.execute(
        "CREATE TRIGGER tenancy_lifecycle_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenancy_lifecycle "
        "FOR EACH STATEMENT EXECUTE FUNCTION tenancy_refuse()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION tenancy_announce CASCADE")
        op.execute("DROP FUNCTION tenancy_refuse CASCADE")
    else:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER tenancy_lifecycle_{verb}")
    for table, columns in (("operations", ["owner"]), ("credentials", ["is_current"]), ("domains", ["verified_at"])):
        with op.batch_alter_table(f"tenancy_{table}") as batch:
            for column in columns:
                batch.drop_column(column)
    for table in ("domain_claims", "processes", "spares", "servers"):
        op.drop_table(f"tenancy_{table}")
