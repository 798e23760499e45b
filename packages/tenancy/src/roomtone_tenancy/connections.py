"""What a server's connections are doing, as values for metrics and for errors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldConnections:
    """One tenant's part.

    Args:
        open: lent or idle.
        lent: in somebody's hands now.
        longest_s: how long the oldest of those has been held, seconds; 0 when none is.
    """

    tenant: str
    open: int
    lent: int
    longest_s: float

    def __str__(self) -> str:
        return f"{self.tenant}: {self.open}, longest {self.longest_s:.1f} s" if self.lent else f"{self.tenant}: {self.open} idle"


@dataclass(frozen=True, kw_only=True, slots=True)
class LongLease:
    """A connection held for longer than `PoolLimits.leak_s`.

    Args:
        stack: where it was taken, as a traceback reads.
    """

    tenant: str
    held_s: float
    stack: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConnections:
    """This process's connections to one server at one moment.

    Args:
        open: lent and idle together; never more than `limit`, but for those lent before the limit shrank.
        limit: this process's share of the server.
        waiting: callers in the queue.
        waits: callers that had to queue since this process began, those that gave up among them.
        waited_s: how long they queued together, seconds.
        timeouts: those of them that got none in time: `BudgetExhausted`.
        tenants: those with the most connections, at most 10.
        long_leases: held for longer than `PoolLimits.leak_s`; empty unless that is set.
    """

    server: str
    open: int
    lent: int
    idle: int
    waiting: int
    waits: int
    waited_s: float
    timeouts: int
    limit: int
    tenants: tuple[HeldConnections, ...]
    long_leases: tuple[LongLease, ...]
