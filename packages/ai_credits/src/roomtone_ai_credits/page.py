"""A page: the books of one account as they were loaded, and what must be written of what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import noticing, records
from .acts import Act
from .books import Books
from .holds import HoldState
from .limits import EACH
from .notices import Alert

# Any: the columns of a row have many types.
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What must be loaded of an account beside what every act needs."""

    account: str
    now: datetime
    entry_keys: list[str] = field(default_factory=list)
    hold_keys: list[str] = field(default_factory=list)
    hold_ids: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=lambda: [EACH])

    @staticmethod
    def of(account: str, now: datetime, acts: Iterable[Act[Any]]) -> Needs:
        """What these acts must see."""
        needs = Needs(account=account, now=now)
        for act in acts:
            needs.entry_keys.extend(act.entry_keys)
            needs.hold_keys.extend(act.hold_keys)
            needs.hold_ids.extend(act.hold_ids)
            needs.subjects.extend(act.subjects)
        return needs


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """Rows of one account, times as aware datetimes.

    Attributes:
        account: None when nothing was ever booked.
        holds: those that were asked for, those that have ended by time, and what these were taken from; of the others only how many
            and when the first ends.
        limits: those for each, and for the subjects that were asked for or that these holds name.
    """

    account: Mapping[str, Any] | None = None
    lots: Rows = ()
    holds: Rows = ()
    allowances: Rows = ()
    entries: Rows = ()
    postings: Rows = ()
    limits: Rows = ()
    tallies: Rows = ()
    other_holds: int = 0
    other_holds_end_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Rows to write. What changed of rows that were loaded is apart, with their keys and what may change alone.

    Attributes:
        account: all its columns but its number.
        entries: columns that are not there are left out.
        changed_holds: columns that did not change may be left out.
        postings: seq, side, book, lot and amount of each.
    """

    account: dict[str, Any]
    entries: list[dict[str, Any]]
    postings: list[tuple[int, int, str, int | None, int]]
    lots: list[dict[str, Any]]
    changed_lots: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    changed_holds: list[dict[str, Any]]
    allowances: list[dict[str, Any]]
    limits: list[dict[str, Any]]
    tallies: list[dict[str, Any]]
    events: list[dict[str, Any]]


class Page:
    """One account between load and save."""

    def __init__(self, books: Books, *, due_at: datetime | None, subjects: frozenset[str], now: datetime) -> None:
        self.books, self._due_at, self._subjects = books, due_at, subjects
        self._before = books.mark()
        books.mature(now)
        if books.entries:
            noticing.look(books)

    @staticmethod
    def of(needs: Needs, loaded: Loaded) -> Page:
        """Open the books that were loaded, and bring them up to date."""
        due_at = loaded.account["next_change_at"] if loaded.account else None
        return Page(_open(needs.account, loaded, needs.now), due_at=due_at, subjects=frozenset(needs.subjects), now=needs.now)

    def has(self, needs: Needs) -> bool:
        """Whether these books, as they were closed, have all that is needed beside keys that are new."""
        books = self.books
        if books.other_holds_end_at is not None and books.other_holds_end_at <= needs.now:
            return False
        return all(hold_id in books.holds for hold_id in needs.hold_ids) and (
            not books.limit_count or self._subjects.issuperset(needs.subjects)
        )

    def closed(self) -> Books:
        """Keep of the books what a load would find of them: what is open, and no history."""
        books = self.books
        books.lots = {number: lot for number, lot in books.lots.items() if lot.is_open}
        books.holds = {hold_id: hold for hold_id, hold in books.holds.items() if hold.state is HoldState.open}
        books.hold_ids = {hold.key: hold.id for hold in books.holds.values()}
        books.entries, books.events, books.past = [], [], {}
        return books

    def reopened(self, now: datetime) -> Page:
        """Open the closed books of this page again."""
        return Page(self.books, due_at=self._due_at, subjects=self._subjects, now=now)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write."""
        books, before = self.books, self._before
        if books.entries or books.events or books.next_change_at != self._due_at:
            return True
        return any(getattr(books, name) != getattr(before, name) for name in _KEPT)

    def changes(self, account_id: int) -> Changes:
        """What to write, for an account whose row has this number. The page is then as it was written."""
        books, before = self.books, self._before
        account = records.from_books(books)
        self._due_at = account["next_change_at"]
        known = len(before.allowances)
        changed = [new for old, new in zip(before.allowances, books.allowances, strict=False) if old != new]
        lots = [lot for number, lot in books.lots.items() if before.lots.get(number) is not lot]
        holds = [hold for hold_id, hold in books.holds.items() if before.holds.get(hold_id) is not hold]
        return Changes(
            account=account,
            entries=[records.from_entry(account_id, entry) for entry in books.entries],
            postings=[line for entry in books.entries for line in records.from_postings(entry)],
            lots=[records.from_lot(account_id, lot) for lot in lots if lot.number not in before.lots],
            changed_lots=[records.from_changed_lot(lot) for lot in lots if lot.number in before.lots],
            holds=[records.from_hold(account_id, hold) for hold in holds if hold.id not in before.holds],
            changed_holds=[records.from_changed_hold(before.holds[hold.id], hold) for hold in holds if hold.id in before.holds],
            allowances=[records.from_allowance(account_id, allowance) for allowance in [*changed, *books.allowances[known:]]],
            limits=[records.from_limit(account_id, limit) for key, limit in books.limits.items() if before.limits.get(key) is not limit],
            tallies=[records.from_tally(account_id, tally) for key, tally in books.tallies.items() if before.tallies.get(key) is not tally],
            events=[records.from_event(account_id, event) for event in books.events],
        )


def _open(account: str, loaded: Loaded, now: datetime) -> Books:
    row = loaded.account
    if row is None:
        return Books(account=account, now=now)
    books = Books(
        account=account,
        id=row["id"],
        now=row["matured_at"],
        seq=row["seq"],
        lot_count=row["lot_count"],
        debt=row["debt"],
        carry_nano=row["carry_nano"],
        lots={lot["number"]: records.to_lot(lot) for lot in loaded.lots},
        allowances=[records.to_allowance(allowance) for allowance in loaded.allowances],
        limits={(limit.name, limit.subject): limit for limit in map(records.to_limit, loaded.limits)},
        limit_count=row["limit_count"],
        tallies={tally.key: tally for tally in map(records.to_tally, loaded.tallies)},
        alerts=tuple(Alert(**alert) for alert in row["alerts"]),
        top_up=records.to_top_up(row["top_up"]),
        event_count=row["event_count"],
        past=records.to_entries(loaded.entries, loaded.postings),
        other_holds=loaded.other_holds,
        other_holds_end_at=loaded.other_holds_end_at,
    )
    for hold in loaded.holds:
        books.keep(records.to_hold(account, hold))
    return books


_KEPT = ("lots", "holds", "allowances", "limits", "tallies", "alerts", "top_up")
