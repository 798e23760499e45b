"""A hard bound on the connections of one process to one server, shared by all tenants there."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from .errors import BudgetExhausted
from .server import PoolLimits


class Closable(Protocol):
    """A connection that can be closed."""

    def close(self) -> None:
        """End it."""


C = TypeVar("C", bound=Closable)


@dataclass(slots=True)
class _Grant(Generic[C]):
    """What a caller got: an idle connection of its own tenant, or leave to open one once `victim` is closed."""

    connection: C | None = None
    victim: C | None = None


@dataclass(slots=True)
class _Waiter(Generic[C]):
    holder: Hashable
    ready: threading.Event = field(default_factory=threading.Event)
    grant: _Grant[C] | None = None


class ConnectionBudget(Generic[C]):
    """Counts every connection that is open, lent or idle. Callers wait in order of arrival; what is lent is never taken away.

    Args:
        server: its name, for errors.
        limits: the bounds.
    """

    def __init__(self, server: str, limits: PoolLimits) -> None:
        self.server, self.limits = server, limits
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._open: Counter[Hashable] = Counter()
        self._idle: OrderedDict[int, tuple[Hashable, C]] = OrderedDict()  # by id(), longest unused first
        self._own: dict[Hashable, list[C]] = {}
        self._waiters: deque[_Waiter[C]] = deque()

    @property
    def open_count(self) -> int:
        """Connections open now, lent or idle."""
        return self._open.total()

    def acquire(self, holder: Hashable) -> C | None:
        """Take an idle connection of the holder, or None as leave to open one: then `release` or `forfeit` it.

        Raises:
            BudgetExhausted: nothing became free within `wait_s`.

        Effects:
            May close the connection of another holder that was unused for longest.
        """
        with self._lock:
            if self._pid != os.getpid():
                self._reset()  # a child must not use, nor close, what its parent opened
            grant = self._grant(holder)
            waiter: _Waiter[C] = _Waiter(holder)
            if grant is None:
                self._waiters.append(waiter)
        if grant is None:
            grant = self._wait(waiter)
        if grant.victim is not None:
            try:
                grant.victim.close()
            except BaseException:
                self.forfeit(holder)
                raise
        return grant.connection

    def release(self, holder: Hashable, connection: C) -> None:
        """Give a connection back; it stays open for its holder until another one needs the room."""
        with self._lock:
            if self._open[holder] < 1:
                stray = True  # opened before a fork, or before drain(): not ours to keep
            else:
                stray = False
                self._idle[id(connection)] = (holder, connection)
                self._own.setdefault(holder, []).append(connection)
                self._serve()
        if stray:
            connection.close()

    def forfeit(self, holder: Hashable) -> None:
        """Give back the leave of a connection that is closed or was never opened."""
        with self._lock:
            self._drop(holder)
            self._serve()

    def drain(self, holder: Hashable) -> None:
        """Close the holder's idle connections; lent ones are left alone."""
        with self._lock:
            connections = self._own.pop(holder, [])
            for connection in connections:
                del self._idle[id(connection)]
                self._drop(holder)
            self._serve()
        for connection in connections:
            connection.close()

    def _wait(self, waiter: _Waiter[C]) -> _Grant[C]:
        waiter.ready.wait(self.limits.wait_s)
        with self._lock:
            if waiter.grant is not None:
                return waiter.grant
            self._waiters.remove(waiter)
            holders = {str(holder): count for holder, count in self._open.most_common(5)}
        raise BudgetExhausted(
            server=self.server,
            tenant=str(waiter.holder),
            limit=self.limits.per_server,
            tenant_limit=self.limits.per_tenant,
            holders=holders,
        )

    def _serve(self) -> None:
        """Hand out what became free, first come first served; one who waits for its own tenant's share blocks no other tenant."""
        for waiter in list(self._waiters):
            waiter.grant = self._grant(waiter.holder)
            if waiter.grant is not None:
                self._waiters.remove(waiter)
                waiter.ready.set()

    def _grant(self, holder: Hashable) -> _Grant[C] | None:
        own = self._own.get(holder)
        if own:
            connection = own.pop()
            del self._idle[id(connection)]
            return _Grant(connection=connection)
        if self._open[holder] >= self.limits.per_tenant:
            return None
        victim: C | None = None
        if self._open.total() >= self.limits.per_server:
            if not self._idle:
                return None
            loser, victim = self._idle.popitem(last=False)[1]
            self._own[loser].remove(victim)
            self._drop(loser)
        self._open[holder] += 1
        return _Grant(victim=victim)

    def _drop(self, holder: Hashable) -> None:
        self._open[holder] -= 1
        if self._open[holder] < 1:
            del self._open[holder]
            self._own.pop(holder, None)
