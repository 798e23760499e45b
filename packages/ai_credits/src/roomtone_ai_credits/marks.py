"""Marks: a state of the books to go back to, or to compare with."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from .holds import Hold
from .limits import Limit, Tally
from .lots import Lot
from .notices import Alert, TopUp
from .periods import Allowance


# Any, below: the books themselves, which stand above this module.
class Mark(NamedTuple):
    """What books were. Values are frozen, so collections of them are copied and no more; what only grows is noted by its length."""

    sums: tuple[datetime, int, int, int, int, int, int]
    lots: dict[int, Lot]
    holds: dict[str, Hold]
    allowances: list[Allowance]
    limits: dict[tuple[str, str], Limit]
    tallies: dict[str, Tally]
    alerts: tuple[Alert, ...]
    top_up: TopUp | None
    entry_count: int
    told_count: int

    @staticmethod
    def of(books: Any) -> Mark:
        """Note what they are."""
        return Mark(
            sums=(books.now, books.seq, books.lot_count, books.debt, books.carry_nano, books.limit_count, books.event_count),
            lots=books.lots.copy(),
            holds=books.holds.copy(),
            allowances=books.allowances.copy(),
            limits=books.limits.copy(),
            tallies=books.tallies.copy(),
            alerts=books.alerts,
            top_up=books.top_up,
            entry_count=len(books.entries),
            told_count=len(books.events),
        )

    def restore(self, books: Any) -> None:
        """Make them what they were, of this mark's own collections: it serves once."""
        books.now, books.seq, books.lot_count, books.debt, books.carry_nano, books.limit_count, books.event_count = self.sums
        books.lots, books.holds, books.allowances = self.lots, self.holds, self.allowances
        books.limits, books.tallies = self.limits, self.tallies
        books.alerts, books.top_up = self.alerts, self.top_up
        for entry in books.entries[self.entry_count :]:
            del books.past[entry.key]
        del books.entries[self.entry_count :], books.events[self.told_count :]
        books.hold_ids = {hold.key: hold.id for hold in books.holds.values()}
        books.open_count = len(books.open_holds)
