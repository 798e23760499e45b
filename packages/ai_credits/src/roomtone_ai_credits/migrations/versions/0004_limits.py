"""Limits and what they count, events, orders for more credits, holds inside holds, and months whose rest goes over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)
INT = sa.BigInteger()

LOAD = """
CREATE FUNCTION credits_load(
  p_account text, p_now timestamptz, p_hold_keys text[], p_hold_ids text[], p_entry_keys text[], p_subjects text[], p_lock_timeout text
) RETURNS json LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  a credits_account;
  before text := current_setting('lock_timeout');
  wanted text[];
  named text[];
  lots json; holds json; allowances json; entries json; postings json; limits json; tallies json; others json;
BEGIN
  PERFORM set_config('lock_timeout', p_lock_timeout, true);
  SELECT * INTO a FROM credits_account WHERE account = p_account FOR NO KEY UPDATE;
  PERFORM set_config('lock_timeout', before, true);
  IF a.id IS NULL THEN
    RETURN NULL;
  END IF;
  -- Each statement from here on sees what was committed before the lock was had.
  SELECT array_agg(id) INTO wanted FROM (
    SELECT id FROM credits_hold WHERE account_id = a.id AND state = 'open' AND expires_at <= p_now
    UNION SELECT id FROM credits_hold WHERE account_id = a.id AND key = ANY (p_hold_keys)
    UNION SELECT id FROM credits_hold WHERE id = ANY (p_hold_ids) AND account_id = a.id
  ) h;
  IF wanted IS NOT NULL THEN
    SELECT array_agg(parent_id) INTO named FROM credits_hold WHERE id = ANY (wanted) AND parent_id <> ALL (wanted);
    wanted := wanted || named;
    SELECT json_agg(h) INTO holds FROM credits_hold h WHERE id = ANY (wanted);
  END IF;
  IF cardinality(p_entry_keys) > 0 THEN
    SELECT json_agg(e) INTO entries FROM credits_entry e WHERE account_id = a.id AND key = ANY (p_entry_keys);
  END IF;
  IF entries IS NOT NULL THEN
    SELECT json_agg(p) INTO postings FROM credits_posting p
    WHERE account_id = a.id AND seq IN (SELECT (e->>'seq')::bigint FROM json_array_elements(entries) e);
  END IF;
  IF a.limit_count > 0 THEN
    SELECT p_subjects || array_agg(s) INTO named FROM credits_hold h, LATERAL unnest(ARRAY[used_by, team, feature, api_key]::text[]) s
    WHERE h.id = ANY (wanted);
    SELECT json_agg(l) INTO limits FROM credits_limit l WHERE account_id = a.id AND subject = ANY (named);
    SELECT json_agg(t) INTO tallies FROM credits_tally t WHERE account_id = a.id AND subject = ANY (named);
  END IF;
  SELECT json_agg(l) INTO lots FROM (
    SELECT * FROM credits_lot WHERE account_id = a.id AND is_open
    UNION ALL SELECT * FROM credits_lot WHERE account_id = a.id AND NOT is_open AND postings IS NOT NULL
      AND number IN (SELECT (p->>'lot')::bigint FROM json_array_elements(postings) p)
  ) l;
  SELECT json_agg(w ORDER BY rule, anchor_at) INTO allowances FROM credits_allowance w WHERE account_id = a.id;
  SELECT json_build_array(count(*), min(expires_at)) INTO others FROM credits_hold
  WHERE account_id = a.id AND state = 'open' AND (wanted IS NULL OR id <> ALL (wanted));
  RETURN json_build_object('account', row_to_json(a), 'lots', lots, 'holds', holds, 'allowances', allowances, 'entries', entries,
    'postings', postings, 'limits', limits, 'tallies', tallies, 'others', others);
END $$
"""

SAVE = """
CREATE OR REPLACE FUNCTION credits_save(p_account_id bigint, p_changes json) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  a credits_account := json_populate_record(NULL::credits_account, p_changes->'account');
  part json;
BEGIN
  part := p_changes->'entries';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_entry SELECT * FROM json_populate_recordset(NULL::credits_entry, part);
    INSERT INTO credits_posting SELECT * FROM json_populate_recordset(NULL::credits_posting, p_changes->'postings');
  END IF;
  part := p_changes->'lots';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_lot SELECT * FROM json_populate_recordset(NULL::credits_lot, part)
    ON CONFLICT (account_id, number) DO UPDATE
    SET remaining = excluded.remaining, held = excluded.held, expires_at = excluded.expires_at, is_open = excluded.is_open;
  END IF;
  part := p_changes->'holds';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_hold SELECT * FROM json_populate_recordset(NULL::credits_hold, part)
    ON CONFLICT (id) DO UPDATE
    SET state = excluded.state, amount = excluded.amount, slices = excluded.slices, held_at = excluded.held_at,
      expires_at = excluded.expires_at, rate = excluded.rate, card_version = excluded.card_version, charged = excluded.charged,
      is_late = excluded.is_late, parent_id = excluded.parent_id, limits = excluded.limits;
  END IF;
  part := p_changes->'allowances';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_allowance SELECT * FROM json_populate_recordset(NULL::credits_allowance, part)
    ON CONFLICT (account_id, rule, anchor_at, timezone) DO UPDATE
    SET ends_at = excluded.ends_at, amount = excluded.amount, next_period = excluded.next_period, granted = excluded.granted,
      is_active = excluded.is_active, rollover_max = excluded.rollover_max, rollover_percent = excluded.rollover_percent,
      rollover_months = excluded.rollover_months;
  END IF;
  part := p_changes->'limits';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_limit SELECT * FROM json_populate_recordset(NULL::credits_limit, part)
    ON CONFLICT (account_id, name, subject) DO UPDATE
    SET scope = excluded.scope, amount = excluded.amount, span = excluded.span, length_s = excluded.length_s,
      timezone = excluded.timezone, is_hard = excluded.is_hard, is_active = excluded.is_active;
  END IF;
  part := p_changes->'tallies';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_tally SELECT * FROM json_populate_recordset(NULL::credits_tally, part)
    ON CONFLICT (account_id, name, subject) DO UPDATE
    SET held = excluded.held, spent = excluded.spent, before = excluded.before;
  END IF;
  part := p_changes->'events';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_event SELECT * FROM json_populate_recordset(NULL::credits_event, part);
  END IF;
  UPDATE credits_account
  SET seq = a.seq, lot_count = a.lot_count, balance = a.balance, debt = a.debt, held = a.held, carry_nano = a.carry_nano,
    matured_at = a.matured_at, next_change_at = a.next_change_at, next_grant_at = a.next_grant_at, limit_count = a.limit_count,
    event_count = a.event_count, alerts = a.alerts, top_up = a.top_up
  WHERE id = p_account_id;
END $$
"""


def upgrade() -> None:
    """Add the columns and the tables; on PostgreSQL, put the functions that read and write them in the place of the old ones."""
    _add_columns()
    _create_tables()
    untold = sa.text("told_at IS NULL")
    op.create_index("ix_credits_event_untold", "credits_event", ["at"], postgresql_where=untold, sqlite_where=untold)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION credits_load(text, timestamptz, text[], text[], text[], text)")
        op.execute(LOAD)
        op.execute(SAVE)


def _add_columns() -> None:
    for table, column in (
        ("credits_account", sa.Column("limit_count", sa.Integer(), nullable=False, server_default="0")),
        ("credits_account", sa.Column("event_count", INT, nullable=False, server_default="0")),
        ("credits_account", sa.Column("alerts", sa.JSON(), nullable=False, server_default="[]")),
        ("credits_account", sa.Column("top_up", sa.JSON())),
        ("credits_hold", sa.Column("team", sa.String(200))),
        ("credits_hold", sa.Column("api_key", sa.String(200))),
        ("credits_hold", sa.Column("parent_id", sa.String(32))),
        ("credits_hold", sa.Column("limits", sa.JSON(), nullable=False, server_default="[]")),
        ("credits_entry", sa.Column("team", sa.String(200))),
        ("credits_entry", sa.Column("api_key", sa.String(200))),
        ("credits_entry", sa.Column("limits", sa.JSON())),
        ("credits_allowance", sa.Column("rollover_max", INT, nullable=False, server_default="0")),
        ("credits_allowance", sa.Column("rollover_percent", sa.Integer(), nullable=False, server_default="100")),
        ("credits_allowance", sa.Column("rollover_months", sa.Integer(), nullable=False, server_default="1")),
    ):
        op.add_column(table, column)


def _create_tables() -> None:
    op.create_table(
        "credits_limit",
        *_of_account("credits_limit"),
        *_counted(),
        sa.Column("scope", sa.String(10), nullable=False),
        sa.Column("amount", INT, nullable=False),
        sa.Column("span", sa.String(10), nullable=False),
        sa.Column("length_s", INT, nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("is_hard", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", "subject", name="pk_credits_limit"),
    )
    op.create_table(
        "credits_tally",
        *_of_account("credits_tally"),
        *_counted(),
        sa.Column("held", INT, nullable=False),
        sa.Column("spent", sa.JSON(), nullable=False),
        sa.Column("before", INT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", "subject", name="pk_credits_tally"),
        sa.CheckConstraint("held >= 0", name="ck_credits_tally_held"),
    )
    op.create_table(
        "credits_event",
        *_of_account("credits_event"),
        sa.Column("number", INT, nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("told_at", AT),
        sa.PrimaryKeyConstraint("account_id", "number", name="pk_credits_event"),
    )


def _of_account(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    account_id = sa.Column("account_id", INT, nullable=False)
    return account_id, sa.ForeignKeyConstraint(["account_id"], ["credits_account.id"], name=f"fk_{table}_account_id")


def _counted() -> tuple[sa.Column[str], sa.Column[str]]:
    return sa.Column("name", sa.String(100), nullable=False), sa.Column("subject", sa.String(200), nullable=False)
