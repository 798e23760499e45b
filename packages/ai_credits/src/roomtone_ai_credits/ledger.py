"""The books in the database: one account locked, loaded, brought up to date, and saved.

The lock order is account → lots → holds, everywhere: whoever changes a lot or a hold has locked its account's row first,
so that callers of one account queue and callers of different accounts never meet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from . import records
from .books import Books
from .entries import Entry
from .errors import IdempotencyConflict, UnknownCharge, UnknownHold
from .holds import Hold, HoldState
from .lots import Lot
from .models import AccountRow, AllowanceRow, EntryRow, HoldRow, LotRow, PostingRow, table
from .periods import Allowance
from .reservation import charge_key

ACCOUNT, LOT, HOLD = table(AccountRow), table(LotRow), table(HoldRow)
ALLOWANCE, ENTRY, POSTING = table(AllowanceRow), table(EntryRow), table(PostingRow)


def digest(*facts: object) -> str:
    """Fingerprint what a key stands for, so that its reuse for something else is noticed."""
    return hashlib.sha256(json.dumps([str(fact) for fact in facts]).encode()).hexdigest()


@contextmanager
def opened(connection: Connection, account: str, now: datetime) -> Iterator[Page]:
    """Lock an account, making it if it is new, and give its books as of `now`; save them unless the block raises.

    Effects: locks the account's row until the transaction ends; never commits.
    """
    mine = ACCOUNT.c.account == account
    row = _lock(connection, mine)
    if row is None:
        _create(connection, account, now)
        row = _lock(connection, mine)
        assert row is not None
    page = _page(connection, row, now)
    yield page
    page.save()


@contextmanager
def opened_at_hold(connection: Connection, hold_id: str, now: datetime) -> Iterator[tuple[Page, Hold]]:
    """Do as `opened`, for the account of a hold. Raises: UnknownHold."""
    row = _lock(connection, ACCOUNT.c.id == select(HOLD.c.account_id).where(HOLD.c.id == hold_id).scalar_subquery())
    if row is None:
        raise UnknownHold(hold_id)
    page = _page(connection, row, now)
    hold = page.hold(hold_id=hold_id)
    assert hold is not None
    yield page, hold
    page.save()


class Page:
    """One locked account: its books, and what they were when loaded."""

    def __init__(self, connection: Connection, account_id: int, books: Books) -> None:
        self.books = books
        self._connection, self._account_id = connection, account_id
        self._load_lots(LOT.c.is_open)
        self._load_holds(HOLD.c.state == HoldState.open.value)
        query = select(ALLOWANCE).where(ALLOWANCE.c.account_id == account_id).order_by(ALLOWANCE.c.rule, ALLOWANCE.c.anchor_at)
        books.allowances = [records.to_allowance(row) for row in connection.execute(query).mappings()]
        self._before = _Loaded(lots=dict(books.lots), holds=dict(books.holds), allowances=list(books.allowances))

    def replayed(self, key: str, fingerprint: str) -> Entry | None:
        """Return the entry already booked under `key`, None when there is none. Raises: IdempotencyConflict."""
        row = self._entry_row(key)
        if row is not None and row["digest"] != fingerprint:
            raise IdempotencyConflict(self.books.account, key)
        return records.to_entry(row) if row is not None else None

    def charge(self, key: str) -> Entry:
        """Return the charge of the hold with `key`, and bring the lots that paid it into the books. Raises: UnknownCharge."""
        row = self._entry_row(charge_key(key))
        if row is None:
            raise UnknownCharge(self.books.account, key)
        query = select(POSTING).where(POSTING.c.account_id == self._account_id, POSTING.c.seq == row["seq"])
        entry = records.to_entry(row, tuple(map(records.to_posting, self._connection.execute(query).mappings())))
        closed = {posting.lot for posting in entry.postings if posting.lot} - self.books.lots.keys()
        self._before.lots.update(self._load_lots(LOT.c.number.in_(closed)))
        return entry

    def hold(self, *, hold_id: str | None = None, key: str | None = None) -> Hold | None:
        """Return a hold of this account by its id or its key, in whatever state, None when there is none."""
        for hold in self.books.holds.values():
            if hold_id == hold.id or key == hold.key:
                return hold
        loaded = self._load_holds(HOLD.c.id == hold_id if hold_id else HOLD.c.key == key)
        self._before.holds.update(loaded)
        return next(iter(loaded.values()), None)

    def save(self) -> None:
        """Write what changed: history first, then lots, holds, allowances and the account's sums."""
        books, before, account_id = self.books, self._before, self._account_id
        self._insert(ENTRY, [records.from_entry(account_id, entry) for entry in books.entries])
        self._insert(POSTING, [side for entry in books.entries for side in records.from_postings(account_id, entry)])
        lots = [lot for number, lot in books.lots.items() if before.lots.get(number) != lot]
        self._insert(LOT, [records.from_lot(account_id, lot) for lot in lots if lot.number not in before.lots])
        self._update(LOT, [records.from_lot(account_id, lot) for lot in lots if lot.number in before.lots])
        holds = [hold for hold_id, hold in books.holds.items() if before.holds.get(hold_id) != hold]
        self._insert(HOLD, [records.from_hold(account_id, hold) for hold in holds if hold.id not in before.holds])
        self._update(HOLD, [records.from_hold(account_id, hold) for hold in holds if hold.id in before.holds])
        known = len(before.allowances)
        changed = [new for old, new in zip(before.allowances, books.allowances, strict=False) if old != new]
        self._insert(ALLOWANCE, [records.from_allowance(account_id, allowance) for allowance in books.allowances[known:]])
        self._update(ALLOWANCE, [records.from_allowance(account_id, allowance) for allowance in changed])
        sums = {"seq": books.seq, "lot_count": books.lot_count, "balance": books.balance, "debt": books.debt, "held": books.held}
        sums["carry_nano"] = books.carry_nano
        times = {"matured_at": books.now, "next_change_at": books.next_change_at, "next_grant_at": books.next_grant_at}
        self._connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(**sums, **times))

    def _entry_row(self, key: str) -> RowMapping | None:
        query = select(ENTRY).where(ENTRY.c.account_id == self._account_id, ENTRY.c.key == key)
        return self._connection.execute(query).mappings().one_or_none()

    def _load_lots(self, which: ColumnElement[bool]) -> dict[int, Lot]:
        query = select(LOT).where(LOT.c.account_id == self._account_id, which)
        loaded = {row["number"]: records.to_lot(row) for row in self._connection.execute(query).mappings()}
        self.books.lots.update(loaded)
        return loaded

    def _load_holds(self, which: ColumnElement[bool]) -> dict[str, Hold]:
        query = select(HOLD).where(HOLD.c.account_id == self._account_id, which)
        loaded = {row["id"]: records.to_hold(self.books.account, row) for row in self._connection.execute(query).mappings()}
        self.books.holds.update(loaded)
        return loaded

    # Any: a row's columns have many types.
    def _insert(self, target: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(target), rows)

    def _update(self, target: Table, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        keys = [column.name for column in target.primary_key]
        statement = update(target).where(*(target.c[key] == bindparam(f"old_{key}") for key in keys))
        statement = statement.values({name: bindparam(f"new_{name}") for name in rows[0] if name not in keys})
        self._connection.execute(statement, [{f"old_{n}" if n in keys else f"new_{n}": value for n, value in row.items()} for row in rows])


@dataclass
class _Loaded:
    """What was read, to tell what changed."""

    lots: dict[int, Lot]
    holds: dict[str, Hold]
    allowances: list[Allowance]


def _page(connection: Connection, row: RowMapping, now: datetime) -> Page:
    books = Books(account=row["account"], now=row["matured_at"], seq=row["seq"], lot_count=row["lot_count"], debt=row["debt"])
    books.carry_nano = row["carry_nano"]
    page = Page(connection, row["id"], books)
    books.mature(now)
    return page


def _lock(connection: Connection, mine: ColumnElement[bool]) -> RowMapping | None:
    if connection.dialect.name == "sqlite":
        # SQLite has no row locks, and refuses to turn a reader into a writer once another has written: so write first.
        touched = connection.execute(update(ACCOUNT).where(mine).values(seq=ACCOUNT.c.seq))
        if not touched.rowcount:
            return None
    return connection.execute(select(ACCOUNT).where(mine).with_for_update()).mappings().one_or_none()


def _create(connection: Connection, account: str, now: datetime) -> None:
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    values = {"account": account, "seq": 0, "lot_count": 0, "balance": 0, "debt": 0, "held": 0, "matured_at": now}
    connection.execute(make(ACCOUNT).values(values).on_conflict_do_nothing())
