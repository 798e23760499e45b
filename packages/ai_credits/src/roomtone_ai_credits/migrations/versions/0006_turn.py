"""A turn in one message: what was planned on books as they were left is written if nobody has touched them since."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KINDS = "bigint, json, json, bigint[], int[], text[], bigint[], bigint[], json"
_WRITTEN = """
  p_account json, p_entries json, p_seqs bigint[], p_sides int[], p_books text[], p_lots bigint[], p_amounts bigint[],
  p_changed_lots json, p_new_lots json, p_changed_holds json, p_new_holds json, p_rest json
"""
_QUICK = "LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan"
# Of a hold that is changed, what stays as it was is left out.
_WRITE = """
  IF p_entries IS NOT NULL THEN
    INSERT INTO credits_entry
    SELECT p_account_id, e.seq, e.key, e.kind, e.at, e.amount, e.balance_after, e.digest, e.reason, e.actor, e.hold_id, e.model, e.feature,
      e.used_by, e.card_version, e.usage, e.priced_nano, e.team, e.api_key, e.limits
    FROM json_populate_recordset(NULL::credits_entry, p_entries) e;
    INSERT INTO credits_posting (account_id, seq, side, book, lot, amount)
    SELECT p_account_id, * FROM unnest(p_seqs, p_sides, p_books, p_lots, p_amounts);
  END IF;
  IF p_changed_lots IS NOT NULL THEN
    UPDATE credits_lot l SET remaining = c.remaining, held = c.held, expires_at = c.expires_at, is_open = c.is_open
    FROM json_populate_recordset(NULL::credits_lot, p_changed_lots) c WHERE l.account_id = p_account_id AND l.number = c.number;
  END IF;
  IF p_new_lots IS NOT NULL THEN
    INSERT INTO credits_lot SELECT * FROM json_populate_recordset(NULL::credits_lot, p_new_lots);
  END IF;
  IF p_changed_holds IS NOT NULL THEN
    UPDATE credits_hold h
    SET state = coalesce(c.state, h.state), amount = coalesce(c.amount, h.amount), slices = coalesce(c.slices, h.slices),
      held_at = coalesce(c.held_at, h.held_at), expires_at = coalesce(c.expires_at, h.expires_at), rate = coalesce(c.rate, h.rate),
      card_version = coalesce(c.card_version, h.card_version), charged = coalesce(c.charged, h.charged),
      is_late = coalesce(c.is_late, h.is_late), limits = coalesce(c.limits, h.limits)
    FROM json_populate_recordset(NULL::credits_hold, p_changed_holds) c WHERE h.id = c.id;
  END IF;
  IF p_new_holds IS NOT NULL THEN
    INSERT INTO credits_hold SELECT * FROM json_populate_recordset(NULL::credits_hold, p_new_holds);
  END IF;
  IF p_rest IS NOT NULL THEN
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
  END IF;
"""
_ACCOUNT = """
  UPDATE credits_account o
  SET seq = a.seq, lot_count = a.lot_count, balance = a.balance, debt = a.debt, held = a.held, carry_nano = a.carry_nano,
    matured_at = a.matured_at, next_change_at = a.next_change_at, next_grant_at = a.next_grant_at, limit_count = a.limit_count,
    event_count = a.event_count, alerts = a.alerts, top_up = a.top_up
  FROM json_populate_record(NULL::credits_account, p_account) a
  WHERE o.id = p_account_id
"""
SAVE = f"""
CREATE FUNCTION credits_save(p_account_id bigint, {_WRITTEN}) RETURNS void {_QUICK} AS $$
DECLARE
  part json;
BEGIN
  {_WRITE}
  {_ACCOUNT};
END $$
"""
# Every change of an account writes its row, so the transaction that wrote the row last names the state of all its books. Whoever knows a
# key has written that row too: the row is the one that was known, so no key has come since this statement began.
TURN = f"""
CREATE FUNCTION credits_turn(
  p_account_id bigint, p_version xid, p_lock_timeout text, p_hold_keys json, p_entry_keys json, {_WRITTEN}
) RETURNS xid {_QUICK} AS $$
DECLARE
  part json;
  waits text := set_config('lock_timeout', p_lock_timeout, true);
BEGIN
  {_ACCOUNT} AND o.xmin = p_version
    AND NOT EXISTS (SELECT FROM json_array_elements_text(p_entry_keys) k,
      LATERAL (SELECT FROM credits_entry WHERE account_id = p_account_id AND key = k OFFSET 0) e)
    AND NOT EXISTS (SELECT FROM json_array_elements_text(p_hold_keys) k,
      LATERAL (SELECT FROM credits_hold WHERE account_id = p_account_id AND key = k OFFSET 0) h);
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  {_WRITE}
  RETURN pg_current_xact_id()::xid;
END $$
"""  # noqa: S608  # no input


def upgrade() -> None:
    """Create the functions on PostgreSQL. SQLite has no way to go for its rows, and reads them again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION credits_save({_KINDS})")
        op.execute(SAVE)
        op.execute(TURN)
