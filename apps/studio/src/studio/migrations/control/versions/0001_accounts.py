"""The app's own tables: people, sign-ins, sign-ups, mail, limits, audit, the demo's clock."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE FUNCTION studio_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'studio_audit is append-only';
END $$;
CREATE TRIGGER studio_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON studio_audit
    FOR EACH STATEMENT EXECUTE FUNCTION studio_audit_is_append_only();
"""


def upgrade() -> None:
    op.create_table(
        "studio_audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "studio_demo_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("offset_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "studio_mail",
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("public_id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("studio_mail_unsent", "studio_mail", ["created_at"], unique=False, postgresql_where=sa.text("sent_at IS NULL"))
    op.create_table(
        "studio_rate_window",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("window_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject", "window_at"),
    )
    op.create_table(
        "studio_user",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("public_id"),
    )
    op.create_table(
        "studio_handover",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("tenant_key", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["studio_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "studio_membership",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("tenant_key", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["studio_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "tenant_key"),
    )
    op.create_table(
        "studio_sign_in",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["studio_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index(op.f("ix_studio_sign_in_user_id"), "studio_sign_in", ["user_id"], unique=False)
    op.create_table(
        "studio_sign_up",
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("tenant_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["studio_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("public_id"),
        sa.UniqueConstraint("attempt"),
    )
    op.create_index(op.f("ix_studio_sign_up_tenant_key"), "studio_sign_up", ["tenant_key"], unique=False)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_index(op.f("ix_studio_sign_up_tenant_key"), table_name="studio_sign_up")
    op.drop_table("studio_sign_up")
    op.drop_index(op.f("ix_studio_sign_in_user_id"), table_name="studio_sign_in")
    op.drop_table("studio_sign_in")
    op.drop_table("studio_membership")
    op.drop_table("studio_handover")
    op.drop_table("studio_user")
    op.drop_table("studio_rate_window")
    op.drop_index("studio_mail_unsent", table_name="studio_mail", postgresql_where=sa.text("sent_at IS NULL"))
    op.drop_table("studio_mail")
    op.drop_table("studio_demo_clock")
    op.drop_table("studio_audit")
    op.execute("DROP FUNCTION studio_audit_is_append_only")
