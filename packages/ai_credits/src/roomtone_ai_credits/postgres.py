"""The books in PostgreSQL: one call locks and reads them, one call writes them, whatever there is to do."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from .page import Changes, Loaded, Needs, Rows


class Found(Protocol):
    """The result of a statement, of the driver or of SQLAlchemy."""

    # Any: a row's columns have many types.
    def fetchone(self) -> Any:
        """Return the next row, None when there is none."""


Send = Callable[[str, Mapping[str, Any]], Found]

# Text: what the driver makes of JSON is the host's to set.
LOAD = (
    "SELECT credits_load(%(account)s, %(now)s, %(hold_keys)s::text[], %(hold_ids)s::text[], %(entry_keys)s::text[], "
    "%(subjects)s::text[], %(timeout)s)::text"
)
CREATE = """
INSERT INTO credits_account (account, seq, lot_count, balance, debt, held, matured_at)
VALUES (%(account)s, 0, 0, 0, 0, 0, %(now)s) ON CONFLICT (account) DO NOTHING RETURNING id
"""
_SAVING = (
    "%(account)s::json, %(entries)s::json, %(seqs)s::bigint[], %(sides)s::int[], %(books)s::text[], %(lots)s::bigint[], "
    "%(amounts)s::bigint[], %(changed_lots)s::json, %(new_lots)s::json, %(changed_holds)s::json, %(new_holds)s::json, %(rest)s::json"
)
SAVE = f"SELECT credits_save(%(account_id)s, {_SAVING}), pg_current_xact_id()::xid::text"
_KEYS = "%(hold_keys)s::json, %(entry_keys)s::json"
TURN = f"SELECT credits_turn(%(account_id)s::bigint, %(version)s::xid, %(timeout)s, {_KEYS}, {_SAVING})::text"
# One statement sees what was committed when it began: a stricter level would not see what was committed while it waited for the lock.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; "

_REST = ("allowances", "limits", "tallies", "events")
_TIMES = {
    "account": ("matured_at", "next_change_at", "next_grant_at"),
    "lots": ("granted_at", "effective_at", "expires_at"),
    "holds": ("held_at", "expires_at"),
    "allowances": ("anchor_at", "ends_at"),
    "entries": ("at",),
}


def loading(needs: Needs, *, lock_timeout_s: int) -> dict[str, Any]:
    """The parameters of LOAD, which locks the account's row, if there is one, until the transaction ends, and reads what is needed.

    It fails when somebody else keeps that row locked for longer than `lock_timeout_s`.
    """
    return {
        "account": needs.account,
        "now": needs.now,
        "hold_keys": needs.hold_keys,
        "hold_ids": needs.hold_ids,
        "entry_keys": needs.entry_keys,
        "subjects": needs.subjects,
        "timeout": f"{lock_timeout_s}s",
    }


def read(text: str | None) -> Loaded:
    """Read the answer of LOAD."""
    if text is None:
        return Loaded()
    found = json.loads(text)
    account, (other_holds, first_end) = found.pop("account"), found.pop("others")
    rows: dict[str, Rows] = {name: value or () for name, value in found.items()}
    for part, names in _TIMES.items():
        for row in [account] if part == "account" else found[part] or ():
            for name in names:
                if row[name] is not None:
                    row[name] = datetime.fromisoformat(row[name])
    ends_at = datetime.fromisoformat(first_end) if first_end else None
    return Loaded(account=account, other_holds=other_holds, other_holds_end_at=ends_at, **rows)


def load(send: Send, needs: Needs, *, lock_timeout_s: int) -> Loaded:
    """Lock an account's row and read what is needed; see `loading`."""
    return read(send(LOAD, loading(needs, lock_timeout_s=lock_timeout_s)).fetchone()[0])


def create(send: Send, needs: Needs) -> int | None:
    """Make the account's row and return its number; None when somebody else has made it meanwhile."""
    row = send(CREATE, {"account": needs.account, "now": needs.now}).fetchone()
    return int(row[0]) if row is not None else None


def saving(account_id: int, changes: Changes) -> dict[str, Any]:
    """The parameters of SAVE, which writes what changed."""
    seqs, sides, books, lots, amounts = zip(*changes.postings, strict=True) if changes.postings else ((),) * 5
    rest = {name: rows for name in _REST if (rows := getattr(changes, name))}
    return {
        # As text: the driver would prepare a statement for each size of number.
        "account_id": str(account_id),
        "account": _json(changes.account),
        "entries": _rows(changes.entries),
        "seqs": _array(seqs),
        "sides": _array(sides),
        "books": _array(books),
        "lots": _array(lots),
        "amounts": _array(amounts),
        "changed_lots": _rows(changes.changed_lots),
        "new_lots": _rows(changes.lots),
        "changed_holds": _rows(changes.changed_holds),
        "new_holds": _rows(changes.holds),
        "rest": _json(rest) if rest else None,
    }


def turning(version: str, new_hold_keys: Sequence[str], needs: Needs, *, lock_timeout_s: int) -> dict[str, Any]:
    """The parameters of TURN beside those of SAVE. It answers with the new version of the account's row.

    It writes nothing and answers NULL when the row has another version than it had, or one of these keys is known.
    """
    keys = {"hold_keys": _json(new_hold_keys), "entry_keys": _json(needs.entry_keys)}
    return {**keys, "version": version, "timeout": f"{lock_timeout_s}s"}


def _json(value: object) -> str:
    return _ENCODER.encode(value)


def _rows(rows: Sequence[Mapping[str, Any]]) -> str | None:
    return _json(rows) if rows else None


def _array(values: Sequence[int | str | None]) -> str:
    """Write numbers and names of books as the server reads arrays, at once instead of one by one."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


# Most times of a batch are the same one.
_ENCODER = json.JSONEncoder(default=functools.lru_cache(maxsize=64)(datetime.isoformat), check_circular=False, separators=(",", ":"))
