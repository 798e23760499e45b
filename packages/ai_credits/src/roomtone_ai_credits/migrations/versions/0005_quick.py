"""The functions that read and write the books do less: nothing is asked for twice, and no plan is made twice.

Each row of history that named its account by a foreign key had the account looked up again, which was most of the price of a debit. It is
written by one function, under the account's lock; accounts are never deleted, and a trigger refuses it.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Looked up key by key: whatever the tables' statistics say, a key is one step down an index and not a walk through the history.
LOAD = """
CREATE OR REPLACE FUNCTION credits_load(
  p_account text, p_now timestamptz, p_hold_keys text[], p_hold_ids text[], p_entry_keys text[], p_subjects text[], p_lock_timeout text
) RETURNS json LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  a credits_account;
  before text := current_setting('lock_timeout');
  wanted text[];
  named text[];
  parts json; holds json; entries json; postings json; limits json; tallies json;
BEGIN
  PERFORM set_config('lock_timeout', p_lock_timeout, true);
  SELECT * INTO a FROM credits_account WHERE account = p_account FOR NO KEY UPDATE;
  PERFORM set_config('lock_timeout', before, true);
  IF a.id IS NULL THEN
    RETURN NULL;
  END IF;
  -- Each statement from here on sees what was committed before the lock was had.
  IF a.next_change_at <= p_now THEN
    wanted := ARRAY(SELECT id FROM credits_hold WHERE account_id = a.id AND state = 'open' AND expires_at <= p_now);
  END IF;
  IF cardinality(p_hold_keys) + cardinality(p_hold_ids) > 0 THEN
    wanted := ARRAY(
      SELECT unnest(wanted)
      UNION SELECT h.id FROM unnest(p_hold_keys) k,
        LATERAL (SELECT id FROM credits_hold WHERE account_id = a.id AND key = k OFFSET 0) h
      UNION SELECT h.id FROM unnest(p_hold_ids) k,
        LATERAL (SELECT id FROM credits_hold WHERE id = k AND account_id = a.id OFFSET 0) h);
  END IF;
  IF cardinality(wanted) > 0 THEN
    SELECT wanted || array_agg(DISTINCT h.parent_id) INTO wanted FROM unnest(wanted) k,
      LATERAL (SELECT parent_id FROM credits_hold WHERE id = k OFFSET 0) h WHERE h.parent_id <> ALL (wanted);
    SELECT json_agg(h) INTO holds FROM unnest(wanted) k, LATERAL (SELECT * FROM credits_hold WHERE id = k OFFSET 0) h;
  END IF;
  IF cardinality(p_entry_keys) > 0 THEN
    SELECT json_agg(e) INTO entries FROM unnest(p_entry_keys) k,
      LATERAL (SELECT * FROM credits_entry WHERE account_id = a.id AND key = k OFFSET 0) e;
  END IF;
  IF entries IS NOT NULL THEN
    SELECT json_agg(p) INTO postings FROM json_array_elements(entries) e,
      LATERAL (SELECT * FROM credits_posting WHERE account_id = a.id AND seq = (e->>'seq')::bigint OFFSET 0) p;
  END IF;
  IF a.limit_count > 0 THEN
    SELECT p_subjects || array_agg(s) INTO named FROM credits_hold h, LATERAL unnest(ARRAY[used_by, team, feature, api_key]::text[]) s
    WHERE h.id = ANY (wanted);
    SELECT json_agg(l) INTO limits FROM credits_limit l WHERE account_id = a.id AND subject = ANY (named);
    SELECT json_agg(t) INTO tallies FROM credits_tally t WHERE account_id = a.id AND subject = ANY (named);
  END IF;
  SELECT json_build_object(
    'account', row_to_json(a), 'holds', holds, 'entries', entries, 'postings', postings, 'limits', limits, 'tallies', tallies,
    'lots', (SELECT json_agg(l) FROM (
      SELECT * FROM credits_lot WHERE account_id = a.id AND is_open
      UNION ALL SELECT l.* FROM json_array_elements(postings) p,
        LATERAL (SELECT * FROM credits_lot WHERE account_id = a.id AND number = (p->>'lot')::bigint AND NOT is_open OFFSET 0) l) l),
    'allowances', (SELECT json_agg(w ORDER BY rule, anchor_at) FROM credits_allowance w WHERE account_id = a.id),
    'others', (SELECT json_build_array(count(*), min(expires_at)) FROM credits_hold
      WHERE account_id = a.id AND state = 'open' AND (wanted IS NULL OR id <> ALL (wanted)))
  ) INTO parts;
  RETURN parts;
END $$
"""

SAVE = """
CREATE FUNCTION credits_save(
  p_account_id bigint, p_account json, p_entries json, p_seqs bigint[], p_sides int[], p_books text[], p_lots bigint[], p_amounts bigint[],
  p_rest json
) RETURNS void LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  part json;
BEGIN
  IF p_entries IS NOT NULL THEN
    INSERT INTO credits_entry
    SELECT p_account_id, e.seq, e.key, e.kind, e.at, e.amount, e.balance_after, e.digest, e.reason, e.actor, e.hold_id, e.model, e.feature,
      e.used_by, e.card_version, e.usage, e.priced_nano, e.team, e.api_key, e.limits
    FROM json_populate_recordset(NULL::credits_entry, p_entries) e;
    INSERT INTO credits_posting (account_id, seq, side, book, lot, amount)
    SELECT p_account_id, * FROM unnest(p_seqs, p_sides, p_books, p_lots, p_amounts);
  END IF;
  part := p_rest->'changed_lots';
  IF part IS NOT NULL THEN
    UPDATE credits_lot l SET remaining = c.remaining, held = c.held, expires_at = c.expires_at, is_open = c.is_open
    FROM json_populate_recordset(NULL::credits_lot, part) c WHERE l.account_id = p_account_id AND l.number = c.number;
  END IF;
  part := p_rest->'lots';
  IF part IS NOT NULL THEN
    INSERT INTO credits_lot SELECT * FROM json_populate_recordset(NULL::credits_lot, part);
  END IF;
  part := p_rest->'changed_holds';
  IF part IS NOT NULL THEN
    UPDATE credits_hold h
    SET state = c.state, amount = c.amount, slices = c.slices, held_at = c.held_at, expires_at = c.expires_at, rate = c.rate,
      card_version = c.card_version, charged = c.charged, is_late = c.is_late, parent_id = c.parent_id, limits = c.limits
    FROM json_populate_recordset(NULL::credits_hold, part) c WHERE h.id = c.id;
  END IF;
  part := p_rest->'holds';
  IF part IS NOT NULL THEN
    INSERT INTO credits_hold SELECT * FROM json_populate_recordset(NULL::credits_hold, part);
  END IF;
  part := p_rest->'allowances';
  IF part IS NOT NULL THEN
    INSERT INTO credits_allowance SELECT * FROM json_populate_recordset(NULL::credits_allowance, part)
    ON CONFLICT (account_id, rule, anchor_at, timezone) DO UPDATE
    SET ends_at = excluded.ends_at, amount = excluded.amount, next_period = excluded.next_period, granted = excluded.granted,
      is_active = excluded.is_active, rollover_max = excluded.rollover_max, rollover_percent = excluded.rollover_percent,
      rollover_months = excluded.rollover_months;
  END IF;
  part := p_rest->'limits';
  IF part IS NOT NULL THEN
    INSERT INTO credits_limit SELECT * FROM json_populate_recordset(NULL::credits_limit, part)
    ON CONFLICT (account_id, name, subject) DO UPDATE
    SET scope = excluded.scope, amount = excluded.amount, span = excluded.span, length_s = excluded.length_s,
      timezone = excluded.timezone, is_hard = excluded.is_hard, is_active = excluded.is_active;
  END IF;
  part := p_rest->'tallies';
  IF part IS NOT NULL THEN
    INSERT INTO credits_tally SELECT * FROM json_populate_recordset(NULL::credits_tally, part)
    ON CONFLICT (account_id, name, subject) DO UPDATE
    SET held = excluded.held, spent = excluded.spent, before = excluded.before;
  END IF;
  part := p_rest->'events';
  IF part IS NOT NULL THEN
    INSERT INTO credits_event SELECT * FROM json_populate_recordset(NULL::credits_event, part);
  END IF;
  UPDATE credits_account o
  SET seq = a.seq, lot_count = a.lot_count, balance = a.balance, debt = a.debt, held = a.held, carry_nano = a.carry_nano,
    matured_at = a.matured_at, next_change_at = a.next_change_at, next_grant_at = a.next_grant_at, limit_count = a.limit_count,
    event_count = a.event_count, alerts = a.alerts, top_up = a.top_up
  FROM json_populate_record(NULL::credits_account, p_account) a WHERE o.id = p_account_id;
END $$
"""
HISTORY = ("credits_entry", "credits_posting", "credits_hold")


def upgrade() -> None:
    """Replace the functions and drop the keys on PostgreSQL. SQLite has none of the functions, and does not look at its keys."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in HISTORY:
        op.drop_constraint(f"fk_{table}_account_id", table)
    op.execute(
        "CREATE TRIGGER credits_account_stays BEFORE DELETE OR TRUNCATE ON credits_account "
        "FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse_change()"
    )
    op.execute(LOAD)
    op.execute("DROP FUNCTION credits_save(bigint, json)")
    op.execute(SAVE)
