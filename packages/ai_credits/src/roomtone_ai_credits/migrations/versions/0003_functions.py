"""PostgreSQL reads and writes an account's books in one call each: the server keeps the plans, and a batch needs two round trips."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LOAD = """
CREATE FUNCTION credits_load(
  p_account text, p_now timestamptz, p_hold_keys text[], p_hold_ids text[], p_entry_keys text[], p_lock_timeout text
) RETURNS json LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  a credits_account;
  before text := current_setting('lock_timeout');
  wanted text[];
  lots json; holds json; allowances json; entries json; postings json; others json;
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
    SELECT json_agg(h) INTO holds FROM credits_hold h WHERE id = ANY (wanted);
  END IF;
  IF cardinality(p_entry_keys) > 0 THEN
    SELECT json_agg(e) INTO entries FROM credits_entry e WHERE account_id = a.id AND key = ANY (p_entry_keys);
  END IF;
  IF entries IS NOT NULL THEN
    SELECT json_agg(p) INTO postings FROM credits_posting p
    WHERE account_id = a.id AND seq IN (SELECT (e->>'seq')::bigint FROM json_array_elements(entries) e);
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
    'postings', postings, 'others', others);
END $$
"""

SAVE = """
CREATE FUNCTION credits_save(p_account_id bigint, p_changes json) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
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
      is_late = excluded.is_late;
  END IF;
  part := p_changes->'allowances';
  IF json_array_length(part) > 0 THEN
    INSERT INTO credits_allowance SELECT * FROM json_populate_recordset(NULL::credits_allowance, part)
    ON CONFLICT (account_id, rule, anchor_at, timezone) DO UPDATE
    SET ends_at = excluded.ends_at, amount = excluded.amount, next_period = excluded.next_period, granted = excluded.granted,
      is_active = excluded.is_active;
  END IF;
  UPDATE credits_account
  SET seq = a.seq, lot_count = a.lot_count, balance = a.balance, debt = a.debt, held = a.held, carry_nano = a.carry_nano,
    matured_at = a.matured_at, next_change_at = a.next_change_at, next_grant_at = a.next_grant_at
  WHERE id = p_account_id;
END $$
"""


def upgrade() -> None:
    """Create the functions; SQLite has none and needs none."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(LOAD)
        op.execute(SAVE)
