"""Facts of accounts kept for a moment, so that a page that asks ten times asks the database once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from .decision import Decision
from .entitlement import Facts

# Of one account; more amounts than this are decided anew each time.
DECISIONS_MAX = 256


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Facts, when their reading began, and what was decided from them: each decision holds from its time until its `until`."""

    facts: Facts
    read_at: datetime
    decisions: dict[tuple[str, int], tuple[datetime, Decision]] = field(default_factory=dict)

    def decision(self, feature: str, amount: int, now: datetime) -> Decision | None:
        """The decision made before, if it holds at `now`."""
        since, said = self.decisions.get((feature, amount), (now, None))
        return said if said is not None and since <= now and (said.until is None or now < said.until) else None

    def keep(self, said: Decision, now: datetime) -> None:
        """Keep a decision, of at most `DECISIONS_MAX`."""
        if len(self.decisions) < DECISIONS_MAX:
            self.decisions[said.feature, said.amount] = (now, said)


class Loading:
    """One reading of an account's facts; they may be kept unless something was written since it began."""


class FactsCache:
    """At most `size_max` accounts, each for at most `ttl`; safe to share between threads.

    What this process writes is seen at once, what others write after `ttl` at the latest: facts count as old as the beginning of their
    reading, and facts read while the account was written are not kept.
    """

    def __init__(self, *, size_max: int, ttl: timedelta) -> None:
        self._size_max, self._ttl = size_max, ttl
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._loading: dict[str, Loading] = {}
        self._lock = Lock()

    def get(self, account: str, now: datetime) -> Kept | None:
        """The account's facts; None when there are none young enough."""
        with self._lock:
            found = self._kept.get(account)
            # A clock that went back says nothing about age.
            if found is None or not found.read_at <= now < found.read_at + self._ttl:
                return None
            self._kept.move_to_end(account)
            return found

    def begin(self, account: str) -> Loading:
        """Note that a reading begins."""
        with self._lock:
            loading = self._loading[account] = Loading()
        return loading

    def end(self, account: str, loading: Loading, kept: Kept | None) -> None:
        """Keep what was read since `begin`, unless the account was written meanwhile, or nothing was read (None)."""
        with self._lock:
            if self._loading.get(account) is not loading:
                return
            del self._loading[account]
            if kept is not None and self._size_max > 0:
                self._kept[account] = kept
                self._kept.move_to_end(account)
                while len(self._kept) > self._size_max:
                    self._kept.popitem(last=False)

    def forget(self, account: str) -> None:
        """Drop what is kept or being read: the account was written."""
        with self._lock:
            self._kept.pop(account, None)
            self._loading.pop(account, None)
