"""What a connection budget lends, and what it can say about it."""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from .connections import HeldConnections, LongLease

TOP_MAX = 10


class Closable(Protocol):
    """A connection that can be closed."""

    def close(self) -> None:
        """End it; comes back when the server has ended it too."""


C = TypeVar("C", bound=Closable)


@dataclass(eq=False, slots=True)
class Shelf:
    """Where one pool's idle connections lie: two pools of a tenant, before and after a change of its URL, share no connection."""

    holder: str
    is_retired: bool = False


@dataclass(eq=False, slots=True)
class Lease(Generic[C]):
    """Leave to hold one connection: an idle one of the shelf, or None as leave to open one once `victim` is closed."""

    shelf: Shelf
    since: float
    connection: C | None = None
    victim: C | None = None
    stack: traceback.StackSummary | None = None
    is_reported: bool = False

    def is_long(self, now: float, leak_s: float | None) -> bool:
        """Whether it is held for longer than anybody should."""
        return leak_s is not None and now - self.since > leak_s

    def as_long(self, now: float) -> LongLease:
        """The lease as a report shows it."""
        stack = "".join(self.stack.format()) if self.stack is not None else ""
        return LongLease(tenant=self.shelf.holder, held_s=now - self.since, stack=stack)


@dataclass(eq=False, slots=True)
class Waiter(Generic[C]):
    """One who waits in the queue."""

    shelf: Shelf
    ready: threading.Event = field(default_factory=threading.Event)
    lease: Lease[C] | None = None


def held(open_counts: Counter[str], leases: Iterable[Lease[C]], now: float) -> tuple[HeldConnections, ...]:
    """Who has the most connections, `TOP_MAX` tenants at most."""
    lent: Counter[str] = Counter()
    longest: dict[str, float] = {}
    for lease in leases:
        holder = lease.shelf.holder
        lent[holder] += 1
        longest[holder] = max(longest.get(holder, 0.0), now - lease.since)
    return tuple(
        HeldConnections(tenant=holder, open=count, lent=lent[holder], longest_s=longest.get(holder, 0.0))
        for holder, count in open_counts.most_common(TOP_MAX)
    )
