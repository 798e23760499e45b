"""A hard bound on the connections of one process to one server, shared by all tenants there."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Generic

from .connections import ServerConnections
from .errors import BudgetExhausted
from .lending import C, Lease, Shelf, Waiter, held
from .server import PoolLimits

STACK_FRAMES_MAX = 30
log = logging.getLogger(__name__)


class ConnectionBudget(Generic[C]):
    """Counts every connection that is open, lent or idle. Callers wait in order of arrival; what is lent is never taken away.

    Args:
        server: its name, for errors.
        limits: the bounds.
        timer: seconds that only grow.

    Attributes:
        open_count: connections open now, lent or idle.
    """

    def __init__(self, server: str, limits: PoolLimits, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.server, self.limits, self._timer = server, limits, timer
        self.limit = limits.share
        self._waits, self._timeouts, self._waited_s = 0, 0, 0.0
        self._inherited: list[object] = []
        self._start()
        after_fork = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: (method := after_fork()) and method())

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self.open_count = 0
        self._leases: set[Lease[C]] = set()
        self._idle: OrderedDict[int, tuple[Shelf, C]] = OrderedDict()  # by id(), longest unused first
        self._own: dict[Shelf, list[C]] = {}
        self._waiters: deque[Waiter[C]] = deque()

    def _after_fork(self) -> None:
        """Forget what the parent opened: a child must neither use nor close it, so it is kept from the garbage collector."""
        self._inherited += [self._idle, self._leases]
        self._start()

    # ── One connection ───────────────────────────────────────────────────

    def acquire(self, shelf: Shelf) -> Lease[C]:
        """Take an idle connection of the shelf, or leave to open one; then `release` or `forfeit` the lease.

        Raises:
            BudgetExhausted: nothing became free within `wait_s`.

        Effects:
            May close the connection of another tenant that was unused for longest.
        """
        with self._lock:
            lease = self._grant(shelf)
            if lease is None:
                waiter: Waiter[C] = Waiter(shelf)
                self._waiters.append(waiter)
        if lease is None:
            self._report_long_leases()
            lease = self._wait(waiter)
        if self.limits.leak_s is not None:
            lease.stack = traceback.extract_stack(sys._getframe(1), STACK_FRAMES_MAX)
        if lease.victim is not None:
            try:
                lease.victim.close()
            except BaseException:
                self.forfeit(lease)
                raise
            lease.victim = None
        return lease

    def release(self, lease: Lease[C], connection: C) -> None:
        """Give a connection back; it stays open for its shelf until another one needs the room. A second time does nothing."""
        with self._lock:
            if lease not in self._leases:
                self._inherited.append(connection)  # of the parent's, before a fork; or returned already
                return
            is_kept = not lease.shelf.is_retired and self.open_count <= self.limit
            if is_kept:
                self._leases.discard(lease)
                self._idle[id(connection)] = (lease.shelf, connection)
                self._own.setdefault(lease.shelf, []).append(connection)
                self._serve()
        if not is_kept:
            try:
                connection.close()
            finally:
                self.forfeit(lease)
        if self.limits.leak_s is not None:
            self._report(lease)

    def forfeit(self, lease: Lease[C]) -> None:
        """Give back the leave of a connection that is closed or was never opened. A second time does nothing."""
        with self._lock:
            if lease in self._leases:
                self._leases.discard(lease)
                self._drop(lease.shelf.holder)
                self._serve()

    def is_lent(self, lease: Lease[C]) -> bool:
        """Whether the lease still runs, and was given in this process."""
        return lease in self._leases

    # ── Many ─────────────────────────────────────────────────────────────

    def drain(self, shelf: Shelf) -> None:
        """Close the shelf's idle connections; lent ones are left alone."""
        with self._lock:
            closing = [(shelf, connection) for connection in self._own.pop(shelf, [])]
            for _, connection in closing:
                del self._idle[id(connection)]
        self._close(closing)

    def retire(self, shelf: Shelf) -> None:
        """Drain the shelf, and close what is lent as it comes back."""
        shelf.is_retired = True
        self.drain(shelf)

    def resize(self, limit: int) -> None:
        """Change the bound. Shrinking closes idle connections first, and lent ones as they come back."""
        with self._lock:
            self.limit = limit
            surplus = min(max(self.open_count - limit, 0), len(self._idle))
            closing = [self._longest_unused() for _ in range(surplus)]
            self._serve()
        self._close(closing)

    def report(self) -> ServerConnections:
        """What is open, lent, idle and waited for now."""
        now = self._timer()
        with self._lock:
            leases, idle, waiting = list(self._leases), len(self._idle), len(self._waiters)
            tenants, total, limit = held(self._open, self._leases, now), self.open_count, self.limit
            waits, waited_s, timeouts = self._waits, self._waited_s, self._timeouts
        return ServerConnections(
            server=self.server,
            open=total,
            lent=len(leases),
            idle=idle,
            waiting=waiting,
            waits=waits,
            waited_s=waited_s,
            timeouts=timeouts,
            limit=limit,
            tenants=tenants,
            long_leases=tuple(lease.as_long(now) for lease in leases if lease.is_long(now, self.limits.leak_s)),
        )

    # ── Inside ───────────────────────────────────────────────────────────

    def _wait(self, waiter: Waiter[C]) -> Lease[C]:
        began = self._timer()
        try:
            waiter.ready.wait(self.limits.wait_s)
        except BaseException:
            with self._lock:
                if waiter.lease is None:
                    self._waiters.remove(waiter)
            if waiter.lease is not None:
                self._abandon(waiter.lease)
            raise
        with self._lock:
            self._waits += 1
            self._waited_s += self._timer() - began
            if waiter.lease is not None:
                return waiter.lease
            self._timeouts += 1
            self._waiters.remove(waiter)
            holders = held(self._open, self._leases, self._timer())
            limit = self.limit
        raise BudgetExhausted(
            server=self.server,
            tenant=waiter.shelf.holder,
            limit=limit,
            tenant_limit=self.limits.per_tenant,
            holders={each.tenant: each.open for each in holders},
            longest_s={each.tenant: each.longest_s for each in holders},
        )

    def _abandon(self, lease: Lease[C]) -> None:
        for connection in (lease.victim, lease.connection):
            if connection is not None:
                connection.close()
        self.forfeit(lease)

    def _serve(self) -> None:
        """Hand out what became free, first come first served; one who waits for its own tenant's share blocks no other tenant."""
        for waiter in list(self._waiters):
            waiter.lease = self._grant(waiter.shelf)
            if waiter.lease is not None:
                self._waiters.remove(waiter)
                waiter.ready.set()

    def _grant(self, shelf: Shelf) -> Lease[C] | None:
        lease: Lease[C] = Lease(shelf, self._timer())
        own = self._own.get(shelf)
        if own:
            lease.connection = own.pop()
            if not own:
                del self._own[shelf]
            del self._idle[id(lease.connection)]
        elif self._open[shelf.holder] >= self.limits.per_tenant:
            return None
        elif self.open_count < self.limit:
            self._add(shelf.holder)
        elif self._idle and self.open_count == self.limit:
            loser, lease.victim = self._longest_unused()
            self._drop(loser.holder)
            self._add(shelf.holder)
        else:
            return None
        self._leases.add(lease)
        return lease

    def _longest_unused(self) -> tuple[Shelf, C]:
        """Take the connection off its shelf. It is counted until it is closed."""
        shelf, connection = self._idle.popitem(last=False)[1]
        self._own[shelf].remove(connection)
        if not self._own[shelf]:
            del self._own[shelf]
        return shelf, connection

    def _close(self, connections: list[tuple[Shelf, C]]) -> None:
        """Close, then make room: the other way round a newcomer would be one too many for a moment."""
        for shelf, connection in connections:
            try:
                connection.close()
            finally:
                with self._lock:
                    self._drop(shelf.holder)
                    self._serve()

    def _add(self, holder: str) -> None:
        self._open[holder] += 1
        self.open_count += 1

    def _drop(self, holder: str) -> None:
        self._open[holder] -= 1
        self.open_count -= 1
        if self._open[holder] < 1:
            del self._open[holder]

    def _report_long_leases(self) -> None:
        with self._lock:
            leases = list(self._leases)
        for lease in leases:
            self._report(lease)

    def _report(self, lease: Lease[C]) -> None:
        """Say once that a connection is or was held for too long."""
        now = self._timer()
        if lease.is_long(now, self.limits.leak_s) and not lease.is_reported:
            lease.is_reported = True
            long = lease.as_long(now)
            log.warning("tenant %s holds a connection to %s for %.1f s, taken at:\n%s", long.tenant, self.server, long.held_s, long.stack)
