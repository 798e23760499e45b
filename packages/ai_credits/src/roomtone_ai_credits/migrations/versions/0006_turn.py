"""A turn in one message: what was planned on books as they were left is written if nobody has touched them since."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Every change of an account writes its row, so the transaction that wrote the row last names the state of all its books.
TURN = """
CREATE FUNCTION credits_turn(
  p_account_id bigint, p_version xid, p_lock_timeout text, p_hold_keys json, p_entry_keys json,
  p_account json, p_entries json, p_seqs bigint[], p_sides int[], p_books text[], p_lots bigint[], p_amounts bigint[], p_rest json
) RETURNS xid LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  PERFORM set_config('lock_timeout', p_lock_timeout, true);
  PERFORM FROM credits_account WHERE id = p_account_id AND xmin = p_version FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  -- Each statement from here on sees what was committed before the lock was had.
  IF EXISTS (SELECT FROM json_array_elements_text(p_entry_keys) k,
      LATERAL (SELECT FROM credits_entry WHERE account_id = p_account_id AND key = k OFFSET 0) e)
    OR EXISTS (SELECT FROM json_array_elements_text(p_hold_keys) k,
      LATERAL (SELECT FROM credits_hold WHERE account_id = p_account_id AND key = k OFFSET 0) h) THEN
    RETURN NULL;
  END IF;
  PERFORM credits_save(p_account_id, p_account, p_entries, p_seqs, p_sides, p_books, p_lots, p_amounts, p_rest);
  RETURN pg_current_xact_id()::xid;
END $$
"""


def upgrade() -> None:
    """Create the function on PostgreSQL. SQLite has no way to go for its rows, and reads them again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(TURN)
