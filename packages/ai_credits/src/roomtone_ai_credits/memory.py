"""A ledger in memory, under the same planner: for tests that need many operations, and to explain the one in a database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from . import models, noticing, records
from .acts import Act, Outcome, carry_out
from .books import Books
from .entries import Entry
from .holds import Hold, HoldState
from .lots import Lot
from .notices import Event
from .page import Needs


@dataclass(kw_only=True, slots=True)
class _Kept:
    """One account. What is open is apart from what only an act that asks for it can see."""

    number: int
    books: Books
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    open_holds: dict[str, Hold] = field(default_factory=dict)
    hold_ids: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


class MemoryLedger:
    """Carries out acts as `Ledger` does, on books that are gone with it."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[str, _Kept] = {}

    # Any: acts of one batch have answers of many types.
    def transact(self, account: str, acts: Sequence[Act[Any]]) -> list[Outcome]:
        """Carry out acts together; when every one is refused nothing changes."""
        with self._lock:
            now = self._clock()
            kept = self._accounts.get(account)
            kept = kept or _Kept(number=len(self._accounts) + 1, books=Books(account=account, now=now))
            books = _open(kept, Needs.of(account, now, acts))
            books.mature(now)
            if books.entries:
                noticing.look(books)
            outcomes = carry_out(books, acts)
            if not acts or any(outcome.problem is None for outcome in outcomes):
                _keep(kept, books)
                self._accounts[account] = kept
        return outcomes

    def __contains__(self, account: object) -> bool:
        return account in self._accounts

    def books(self, account: str) -> Books:
        """Return the books of an account as they were left: what is open in them, and no history."""
        return self._accounts[account].books

    def write_to(self, connection: Connection) -> None:
        """Write everything into the empty tables of a database, to be looked at or proved there."""
        for kept in self._accounts.values():
            number, books = kept.number, kept.books
            entries = list(kept.entries.values())
            rows = {
                models.ACCOUNT: [{**records.from_books(books), "id": number}],
                models.LOT: [records.from_lot(number, lot) for lot in kept.lots.values()],
                models.HOLD: [records.from_hold(number, hold) for hold in kept.holds.values()],
                models.ALLOWANCE: [records.from_allowance(number, allowance) for allowance in books.allowances],
                models.ENTRY: [_entry(number, entry) for entry in entries],
                models.POSTING: [_posting(number, line) for entry in entries for line in records.from_postings(entry)],
                models.LIMIT: [records.from_limit(number, limit) for limit in books.limits.values()],
                models.TALLY: [records.from_tally(number, tally) for tally in books.tallies.values()],
                models.EVENT: [records.from_event(number, event) for event in kept.events],
            }
            for table, values in rows.items():
                if values:
                    connection.execute(insert(table), values)


def _entry(number: int, entry: Entry) -> dict[str, Any]:
    row = records.from_entry(number, entry)
    return {name: row.get(name) for name in models.ENTRY.columns.keys()}  # noqa: SIM118  # columns are not a mapping


def _posting(number: int, line: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(models.POSTING.columns.keys(), (number, *line), strict=True))


def _open(kept: _Kept, needs: Needs) -> Books:
    """What a database would load for these acts."""
    whole = kept.books
    books = replace(
        whole,
        lots=dict(whole.lots),
        allowances=list(whole.allowances),
        limits=dict(whole.limits),
        tallies=dict(whole.tallies),
        entries=[],
        events=[],
        holds={},
        past={},
        hold_ids={},
        open_count=0,
    )
    wanted = {hold.id for hold in kept.open_holds.values() if hold.expires_at <= needs.now}
    wanted.update(kept.hold_ids[key] for key in needs.hold_keys if key in kept.hold_ids)
    wanted.update(hold_id for hold_id in needs.hold_ids if hold_id in kept.holds)
    parents = {parent for hold_id in wanted if (parent := kept.holds[hold_id].parent_id)}
    for hold_id in wanted | parents:
        books.keep(kept.holds[hold_id])
    others = [hold for hold in kept.open_holds.values() if hold.id not in books.holds]
    books.other_holds = len(others)
    books.other_holds_end_at = min((hold.expires_at for hold in others), default=None)
    for key in needs.entry_keys:
        if (entry := kept.entries.get(key)) is not None:
            books.past[key] = entry
            books.lots.update({side.lot: kept.lots[side.lot] for side in entry.postings if side.lot is not None})
    return books


def _keep(kept: _Kept, books: Books) -> None:
    kept.lots.update(books.lots)
    for hold in books.holds.values():
        kept.holds[hold.id] = hold
        kept.hold_ids[hold.key] = hold.id
        if hold.state is HoldState.open:
            kept.open_holds[hold.id] = hold
        else:
            kept.open_holds.pop(hold.id, None)
    for entry in books.entries:
        assert entry.key not in kept.entries, entry
        kept.entries[entry.key] = entry
    kept.events += books.events
    books.lots = {number: lot for number, lot in books.lots.items() if lot.is_open}
    books.holds, books.past, books.entries, books.events = kept.open_holds, {}, [], []
    books.other_holds, books.other_holds_end_at = 0, None
    kept.books = books
