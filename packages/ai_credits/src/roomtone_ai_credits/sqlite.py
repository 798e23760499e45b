"""The books in SQLite: the same as in PostgreSQL, in more statements, since there is no way to go for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Table

from . import models
from .page import Changes, Loaded, Needs

# Any: a row's columns have many types.
Ask = Callable[[str, tuple[Any, ...]], list[Any]]
Write = Callable[[str, list[tuple[Any, ...]]], object]


def lock(write: Write, needs: Needs) -> None:
    """Keep everybody else from writing until the transaction ends.

    SQLite has no row locks, and refuses to turn a reader into a writer once another has written: so write first.
    """
    write("UPDATE credits_account SET seq = seq WHERE account = ?", [(needs.account,)])


def load(ask: Ask, needs: Needs) -> Loaded:
    """Read what `needs` asks for."""
    accounts = _rows(ask, models.ACCOUNT, "account = ?", (needs.account,))
    if not accounts:
        return Loaded()
    mine = accounts[0]["id"]
    ids = _wanted(ask, mine, needs)
    held = json.dumps(ids)
    entries: list[Mapping[str, Any]] = []
    postings: list[Mapping[str, Any]] = []
    if needs.entry_keys:
        which = "account_id = ? AND key IN (SELECT value FROM json_each(?))"
        entries = _rows(ask, models.ENTRY, which, (mine, json.dumps(needs.entry_keys)))
    if entries:
        which = "account_id = ? AND seq IN (SELECT value FROM json_each(?))"
        postings = _rows(ask, models.POSTING, which, (mine, json.dumps([row["seq"] for row in entries])))
    numbers = json.dumps(sorted({row["lot"] for row in postings if row["lot"]}))
    which = "account_id = ?1 AND is_open OR account_id = ?1 AND NOT is_open AND number IN (SELECT value FROM json_each(?2))"
    others = (
        "SELECT count(*), min(expires_at) FROM credits_hold WHERE account_id = ? AND state = 'open' "
        "AND id NOT IN (SELECT value FROM json_each(?))"
    )
    count, first_end = ask(others, (mine, held))[0]
    holds = _rows(ask, models.HOLD, "id IN (SELECT value FROM json_each(?))", (held,)) if ids else []
    limits: list[Mapping[str, Any]] = []
    tallies: list[Mapping[str, Any]] = []
    if accounts[0]["limit_count"]:
        named = {hold[name] for hold in holds for name in ("used_by", "team", "feature", "api_key")} - {None}
        whose = "account_id = ? AND subject IN (SELECT value FROM json_each(?))"
        subjects = (mine, json.dumps([*needs.subjects, *named]))
        limits, tallies = _rows(ask, models.LIMIT, whose, subjects), _rows(ask, models.TALLY, whose, subjects)
    return Loaded(
        account=accounts[0],
        lots=_rows(ask, models.LOT, which, (mine, numbers)),
        holds=holds,
        allowances=_rows(ask, models.ALLOWANCE, "account_id = ? ORDER BY rule, anchor_at", (mine,)),
        entries=entries,
        postings=postings,
        limits=limits,
        tallies=tallies,
        other_holds=count,
        other_holds_end_at=_read_time(first_end),
    )


def _wanted(ask: Ask, account_id: int, needs: Needs) -> list[str]:
    """The ids of the holds that are asked for, of those that time has ended, and of what these were taken from."""
    found = ask(
        "SELECT id, parent_id FROM credits_hold WHERE account_id = ?1 AND state = 'open' AND expires_at <= ?2 "
        "UNION SELECT id, parent_id FROM credits_hold WHERE account_id = ?1 AND key IN (SELECT value FROM json_each(?3)) "
        "UNION SELECT id, parent_id FROM credits_hold WHERE account_id = ?1 AND id IN (SELECT value FROM json_each(?4))",
        (account_id, _time(needs.now), json.dumps(needs.hold_keys), json.dumps(needs.hold_ids)),
    )
    return sorted({hold_id for ids in found for hold_id in ids if hold_id is not None})


def create(ask: Ask, needs: Needs) -> int:
    """Make the account's row and return its number."""
    values = (needs.account, _time(needs.now))
    row = ask(
        "INSERT INTO credits_account (account, seq, lot_count, balance, debt, held, matured_at) VALUES (?, 0, 0, 0, 0, 0, ?) RETURNING id",
        values,
    )[0]
    return int(row[0])


def save(write: Write, account_id: int, changes: Changes) -> None:
    """Write what changed."""
    if changes.postings:
        write(_WRITE_POSTINGS, [(account_id, *line) for line in changes.postings])
    for name, (statement, columns) in _WRITE.items():
        if rows := getattr(changes, name):
            write(statement, [tuple([_encode(row.get(column)) for column in columns]) for row in rows])
    for name, (statement, columns) in _CHANGE.items():
        if rows := getattr(changes, name):
            mine = {"account_id": account_id}
            write(statement, [tuple([_encode({**mine, **row}.get(column)) for column in columns]) for row in rows])
    account = {**changes.account, "id": account_id}
    write(_UPDATE, [(*(_encode(account[name]) for name in _SUMS), account_id)])


def _rows(ask: Ask, table: Table, which: str, values: tuple[Any, ...]) -> list[Mapping[str, Any]]:
    names, statement = _SELECT[table.name]
    decode = _DECODE[table.name]
    found = [dict(zip(names, row, strict=True)) for row in ask(statement + which, values)]
    for row in found:
        for name, read in decode:
            row[name] = read(row[name])
    return list(found)


def _encode(value: object) -> object:
    if isinstance(value, datetime):
        return _time(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


def _time(value: datetime) -> str:
    # As SQLAlchemy writes it, so that text is in the order of time.
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _read_time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if value is not None else None


def _read_json(value: str | None) -> object:
    # Most lists are empty, and an account has many lots.
    return [] if value == "[]" else json.loads(value) if value is not None else None


def _decoders(table: Table) -> list[tuple[str, Callable[[Any], object]]]:
    found: list[tuple[str, Callable[[Any], object]]] = []
    for column in table.columns:
        if isinstance(column.type, models.UtcDateTime):
            found.append((column.name, _read_time))
        elif isinstance(column.type, JSON):
            found.append((column.name, _read_json))
        elif isinstance(column.type, Boolean):
            found.append((column.name, bool))
    return found


def _names(table: Table) -> Sequence[str]:
    return [column.name for column in table.columns]


def _select(table: Table) -> str:
    return f"SELECT {_quoted(_names(table))} FROM {table.name} WHERE "  # noqa: S608  # our own tables' names


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _put(table: Table, *, key: str = "", changing: tuple[str, ...] = ()) -> tuple[str, Sequence[str]]:
    names = _names(table)
    statement = f"INSERT INTO {table.name} ({_quoted(names)}) VALUES ({', '.join('?' for _ in names)})"  # noqa: S608  # our own tables' names
    if changing:
        statement += f" ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(f'"{name}" = excluded."{name}"' for name in changing)
    return statement, names


def _change(table: Table, changing: tuple[str, ...], *, key: tuple[str, ...], to: str = "?") -> tuple[str, Sequence[str]]:
    changes = ", ".join(f'"{name}" = {to.format(name)}' for name in changing)
    which = " AND ".join(f"{name} = ?" for name in key)
    return f"UPDATE {table.name} SET {changes} WHERE {which}", (*changing, *key)  # noqa: S608  # our own names


_TABLES: tuple[Table, ...] = (models.ACCOUNT, models.LOT, models.HOLD, models.ALLOWANCE, models.ENTRY, models.POSTING)
_TABLES += (models.LIMIT, models.TALLY, models.EVENT)
_SELECT = {table.name: (_names(table), _select(table)) for table in _TABLES}
_DECODE = {table.name: _decoders(table) for table in _TABLES}
_WRITE = {
    "entries": _put(models.ENTRY),
    "lots": _put(models.LOT),
    "holds": _put(models.HOLD),
    "allowances": _put(models.ALLOWANCE, key="account_id, rule, anchor_at, timezone", changing=models.ALLOWANCE_CHANGES),
    "limits": _put(models.LIMIT, key="account_id, name, subject", changing=models.LIMIT_CHANGES),
    "tallies": _put(models.TALLY, key="account_id, name, subject", changing=models.TALLY_CHANGES),
    "events": _put(models.EVENT),
}
_WRITE_POSTINGS = _put(models.POSTING)[0]
_CHANGE = {
    "changed_lots": _change(models.LOT, models.LOT_CHANGES, key=("account_id", "number")),
    # What stays as it was may be left out, and nothing becomes absent again.
    "changed_holds": _change(models.HOLD, models.HOLD_CHANGES, key=("id",), to="coalesce(?, {})"),
}
_SUMS = [name for name in _names(models.ACCOUNT) if name not in {"id", "account"}]
_UPDATE = f"UPDATE credits_account SET {', '.join(f'{name} = ?' for name in _SUMS)} WHERE id = ?"  # noqa: S608  # our own column names
