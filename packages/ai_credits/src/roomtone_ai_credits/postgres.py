"""The books in PostgreSQL: one statement locks, one loads, one writes, whatever there is to do.

The load is a statement of its own after the lock, because a statement sees what was committed when it began, not when it got the lock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Table

from . import models
from .page import Changes, Loaded, Needs, Rows


class Found(Protocol):
    """The result of a statement, of the driver or of SQLAlchemy."""

    # Any: a row's columns have many types.
    def fetchone(self) -> Any:
        """Return the next row, None when there is none."""


Send = Callable[[str, Mapping[str, Any]], Found]

# The time limit is set before the row is waited for: the row is looked for once per row of `limited`.
LOCK = """
WITH limited AS MATERIALIZED (SELECT set_config('lock_timeout', %(lock_timeout)s, true))
SELECT a.id FROM limited, credits_account a WHERE a.account = %(account)s FOR NO KEY UPDATE OF a
"""

LOAD = """
WITH a AS MATERIALIZED (SELECT * FROM credits_account WHERE account = %(account)s),
wanted AS MATERIALIZED (
  SELECT h.id FROM a JOIN credits_hold h ON h.account_id = a.id AND h.state = 'open' AND h.expires_at <= %(now)s
  UNION SELECT h.id FROM a JOIN credits_hold h ON h.account_id = a.id AND h.key = ANY(%(hold_keys)s)
  UNION SELECT h.id FROM a JOIN credits_hold h ON h.account_id = a.id AND h.id = ANY(%(hold_ids)s)
),
e AS MATERIALIZED (SELECT x.* FROM a JOIN credits_entry x ON x.account_id = a.id AND x.key = ANY(%(entry_keys)s)),
p AS MATERIALIZED (SELECT x.* FROM e JOIN credits_posting x ON x.account_id = e.account_id AND x.seq = e.seq)
SELECT json_build_object(
  'account', (SELECT row_to_json(a) FROM a),
  'lots', (SELECT json_agg(l) FROM (
    SELECT l.* FROM a JOIN credits_lot l ON l.account_id = a.id AND l.is_open
    UNION ALL
    SELECT l.* FROM a JOIN credits_lot l ON l.account_id = a.id AND NOT l.is_open AND l.number IN (SELECT lot FROM p)
  ) l),
  'holds', (SELECT json_agg(h) FROM credits_hold h JOIN wanted ON wanted.id = h.id),
  'allowances', (SELECT json_agg(w ORDER BY w.rule, w.anchor_at) FROM a JOIN credits_allowance w ON w.account_id = a.id),
  'entries', (SELECT json_agg(e) FROM e),
  'postings', (SELECT json_agg(p) FROM p),
  'others', (
    SELECT json_build_array(count(*), min(h.expires_at)) FROM a JOIN credits_hold h ON h.account_id = a.id AND h.state = 'open'
    WHERE h.id NOT IN (SELECT id FROM wanted)
  )
)::text
"""

CREATE = """
INSERT INTO credits_account (account, seq, lot_count, balance, debt, held, matured_at)
VALUES (%(account)s, 0, 0, 0, 0, 0, %(now)s) ON CONFLICT (account) DO NOTHING RETURNING id
"""

_TIMES = {
    "account": ("matured_at", "next_change_at", "next_grant_at"),
    "lots": ("granted_at", "effective_at", "expires_at"),
    "holds": ("held_at", "expires_at"),
    "allowances": ("anchor_at", "ends_at"),
    "entries": ("at",),
}


def lock(send: Send, needs: Needs, *, lock_timeout_s: int) -> None:
    """Lock the account's row, if there is one, until the transaction ends. Fails when that takes longer than `lock_timeout_s`."""
    send(LOCK, {"account": needs.account, "lock_timeout": f"{lock_timeout_s}s"})


def load(send: Send, needs: Needs) -> Loaded:
    """Read what `needs` asks for."""
    parameters = {
        "account": needs.account,
        "now": needs.now,
        "hold_keys": needs.hold_keys,
        "hold_ids": needs.hold_ids,
        "entry_keys": needs.entry_keys,
    }
    # Text, read here: what the driver makes of JSON is the host's to set.
    found = json.loads(send(LOAD, parameters).fetchone()[0])
    if found["account"] is None:
        return Loaded()
    count, first_end = found.pop("others")
    for part, names in _TIMES.items():
        for row in [found[part]] if part == "account" else found[part] or ():
            for name in names:
                if row[name] is not None:
                    row[name] = datetime.fromisoformat(row[name])
    account = found.pop("account")
    rows: dict[str, Rows] = {name: value or () for name, value in found.items()}
    return Loaded(account=account, **rows, other_holds=count, other_holds_end_at=datetime.fromisoformat(first_end) if first_end else None)


def create(send: Send, needs: Needs) -> int | None:
    """Make the account's row and return its number; None when somebody else has made it meanwhile."""
    row = send(CREATE, {"account": needs.account, "now": needs.now}).fetchone()
    return int(row[0]) if row is not None else None


def save(send: Send, account_id: int, changes: Changes) -> None:
    """Write what changed, in one statement."""
    parts = [name for name in _WRITE if getattr(changes, name)]
    parameters: dict[str, Any] = {name: json.dumps(getattr(changes, name), default=datetime.isoformat) for name in parts}
    parameters |= {f"new_{name}": value for name, value in changes.account.items()} | {"account_id": account_id}
    with_parts = ", ".join(f"put_{name} AS ({_WRITE[name]})" for name in parts)
    send(f"WITH {with_parts} {_UPDATE}" if parts else _UPDATE, parameters)


def _put(part: str, table: Table, *, key: str = "", changing: tuple[str, ...] = ()) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    rows = f"SELECT {names} FROM json_populate_recordset(NULL::{table.name}, %({part})s::json)"  # noqa: S608  # our own tables' names
    statement = f"INSERT INTO {table.name} ({names}) {rows}"
    if not changing:
        return statement
    values = ", ".join(f'"{name}" = excluded."{name}"' for name in changing)
    return f"{statement} ON CONFLICT ({key}) DO UPDATE SET {values}"


_WRITE = {
    "entries": _put("entries", models.ENTRY),
    "postings": _put("postings", models.POSTING),
    "lots": _put("lots", models.LOT, key="account_id, number", changing=models.LOT_CHANGES),
    "holds": _put("holds", models.HOLD, key="id", changing=models.HOLD_CHANGES),
    "allowances": _put("allowances", models.ALLOWANCE, key="account_id, rule, anchor_at, timezone", changing=models.ALLOWANCE_CHANGES),
}
_SUMS = [column.name for column in models.ACCOUNT.columns if column.name not in {"id", "account"}]
_SET = ", ".join(f"{name} = %(new_{name})s" for name in _SUMS)
_UPDATE = f"UPDATE credits_account SET {_SET} WHERE id = %(account_id)s"  # noqa: S608  # our own column names
