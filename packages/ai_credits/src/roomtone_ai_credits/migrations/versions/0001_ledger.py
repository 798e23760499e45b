"""The ledger: accounts, lots, holds, allowances, and history that cannot be changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)
INT = sa.BigInteger()
ACCOUNT = "credits_account"


def upgrade() -> None:
    """Create the tables and the triggers."""
    op.create_table(
        ACCOUNT,
        sa.Column("id", INT.with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        *(sa.Column(name, INT, nullable=False) for name in ("seq", "lot_count", "balance", "debt", "held")),
        sa.Column("matured_at", AT, nullable=False),
        sa.Column("next_change_at", AT),
        sa.Column("next_grant_at", AT),
        sa.PrimaryKeyConstraint("id", name="pk_credits_account"),
        sa.UniqueConstraint("account", name="uq_credits_account_account"),
    )
    op.create_index("ix_credits_account_next_change_at", ACCOUNT, ["next_change_at"])
    _create_lots()
    _create_holds()
    _create_allowances()
    _create_history()
    _forbid_change()


def _account_id(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    return sa.Column("account_id", INT, nullable=False), sa.ForeignKeyConstraint(
        ["account_id"], [f"{ACCOUNT}.id"], name=f"fk_{table}_account_id"
    )


def _create_lots() -> None:
    op.create_table(
        "credits_lot",
        *_account_id("credits_lot"),
        sa.Column("number", INT, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        *(sa.Column(name, INT, nullable=False) for name in ("granted", "remaining", "held")),
        sa.Column("granted_at", AT, nullable=False),
        sa.Column("expires_at", AT),
        sa.Column("rule", sa.String(100)),
        sa.Column("period", sa.Integer()),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "number", name="pk_credits_lot"),
        sa.CheckConstraint("held >= 0 AND held <= remaining", name="ck_credits_lot_held_within_remaining"),
    )
    op.create_index(
        "ix_credits_lot_open", "credits_lot", ["account_id"], postgresql_where=sa.text("is_open"), sqlite_where=sa.text("is_open")
    )


def _create_holds() -> None:
    op.create_table(
        "credits_hold",
        sa.Column("id", sa.String(32), nullable=False),
        *_account_id("credits_hold"),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("amount", INT, nullable=False),
        sa.Column("slices", sa.JSON(), nullable=False),
        sa.Column("held_at", AT, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("rate", sa.JSON(), nullable=False),
        sa.Column("card_version", sa.String(100), nullable=False),
        sa.Column("estimate", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("used_by", sa.String(200)),
        sa.Column("feature", sa.String(200)),
        sa.Column("charged", INT),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credits_hold"),
        sa.UniqueConstraint("account_id", "key", name="uq_credits_hold_account_id_key"),
    )
    is_open = sa.text("state = 'open'")
    op.create_index("ix_credits_hold_open", "credits_hold", ["account_id"], postgresql_where=is_open, sqlite_where=is_open)


def _create_allowances() -> None:
    op.create_table(
        "credits_allowance",
        *_account_id("credits_allowance"),
        sa.Column("rule", sa.String(100), nullable=False),
        sa.Column("anchor_at", AT, nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("ends_at", AT),
        sa.Column("amount", INT, nullable=False),
        sa.Column("next_period", sa.Integer(), nullable=False),
        sa.Column("granted", INT, nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "rule", "anchor_at", "timezone", name="pk_credits_allowance"),
    )


def _create_history() -> None:
    op.create_table(
        "credits_entry",
        *_account_id("credits_entry"),
        sa.Column("seq", INT, nullable=False),
        sa.Column("key", sa.String(400), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("amount", INT, nullable=False),
        sa.Column("balance_after", INT, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500)),
        sa.Column("actor", sa.String(200)),
        sa.Column("hold_id", sa.String(32)),
        sa.Column("model", sa.String(200)),
        sa.Column("feature", sa.String(200)),
        sa.Column("used_by", sa.String(200)),
        sa.Column("card_version", sa.String(100)),
        sa.Column("usage", sa.JSON()),
        sa.PrimaryKeyConstraint("account_id", "seq", name="pk_credits_entry"),
        sa.UniqueConstraint("account_id", "key", name="uq_credits_entry_account_id_key"),
    )
    op.create_table(
        "credits_posting",
        *_account_id("credits_posting"),
        sa.Column("seq", INT, nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("book", sa.String(20), nullable=False),
        sa.Column("lot", INT),
        sa.Column("amount", INT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq", "side", name="pk_credits_posting"),
    )


def _forbid_change() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    if is_postgres:
        op.execute(
            "CREATE FUNCTION credits_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    for table in ("credits_entry", "credits_posting"):
        if is_postgres:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse_change()"
            )
            continue
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
