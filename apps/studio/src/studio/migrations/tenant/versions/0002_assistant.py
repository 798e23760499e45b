"""Conversations with the assistant, their turns, and what it proposed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _conversation()
    _turn()
    _action()


def downgrade() -> None:
    for table in ("assistant_action", "assistant_turn", "assistant_conversation"):
        op.drop_table(table)


def _conversation() -> None:
    op.create_table(
        "assistant_conversation",
        sa.Column("user_id", sa.String(36), nullable=False, index=True),
        sa.Column("title", sa.String(120), nullable=False),
        *_stamped(),
    )


def _turn() -> None:
    op.create_table(
        "assistant_turn",
        sa.Column(
            "conversation_id", sa.Integer, sa.ForeignKey("assistant_conversation.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("model", sa.String(120), nullable=False),
        sa.Column("hold_id", sa.String(64)),
        sa.Column("usage", sa.JSON),
        sa.Column("charged_micro", sa.BigInteger),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        *_stamped(),
        sa.CheckConstraint("state IN ('running', 'answered', 'failed')", name="assistant_turn_state"),
    )
    op.create_index(
        "ix_assistant_turn_unsettled", "assistant_turn", ["id"], postgresql_where=sa.text("state = 'answered' AND charged_micro IS NULL")
    )


def _action() -> None:
    op.create_table(
        "assistant_action",
        sa.Column("turn_id", sa.Integer, sa.ForeignKey("assistant_turn.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("preview", sa.JSON, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        *_stamped(),
        sa.CheckConstraint("state IN ('proposed', 'confirmed', 'rejected', 'expired')", name="assistant_action_state"),
    )


def _stamped() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("public_id", sa.String(36), nullable=False, unique=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("version", sa.Integer, nullable=False),
    ]
