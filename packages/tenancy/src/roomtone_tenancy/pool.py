"""One tenant's connections, taken from its server's budget."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.pool import ConnectionPoolEntry, Pool
from sqlalchemy.pool.base import _ConnectionRecord

from .budget import ConnectionBudget
from .connections import ServerConnections
from .hygiene import Hygiene
from .lending import Lease, Shelf
from .server import PoolLimits
from .spans import OFF, Spans


class TenantRecord(_ConnectionRecord):
    """SQLAlchemy's record of a connection, with the lease that it is held by."""

    lease: Lease[TenantRecord]
    raw: DBAPIConnection | None = None
    idle_since: float = 0.0


Budget = ConnectionBudget[TenantRecord]


class TenantPool(Pool):
    """Connections of one tenant under one URL.

    Args:
        creator: opens one; SQLAlchemy's `Pool` gives it the record.
        holder: the tenant's key.
        blueprint: a pool whose dialect and event hooks this one shares.
    """

    def __init__(
        self,
        creator: Any,
        *,
        budget: Budget,
        hygiene: Hygiene,
        holder: str,
        ping_after_s: float,
        dialect: Dialect,
        blueprint: Pool,
        spans: Spans = OFF,
    ) -> None:
        super().__init__(creator, dialect=dialect)  # creator is Pool's own
        self.dispatch = blueprint.dispatch
        self._driver_error = dialect.loaded_dbapi.Error
        self._budget, self._hygiene, self._ping_after_s, self._spans = budget, hygiene, ping_after_s, spans
        self._shelf = Shelf(holder)

    def _do_get(self) -> TenantRecord:
        lease = self._budget.acquire(self._shelf)
        record = lease.connection
        try:
            if record is None:
                record = TenantRecord(self)
            elif not self._is_fit(record):
                record.invalidate()  # whoever takes it opens another
            record.lease = lease
        except BaseException:
            if record is not None:
                record.close()
            self._budget.forfeit(lease)
            raise
        return record

    def _is_fit(self, record: TenantRecord) -> bool:
        connection = record.dbapi_connection
        if connection is None or not self._hygiene.is_fit(connection):
            return False
        if time.monotonic() - record.idle_since <= self._ping_after_s:
            return True
        try:
            return self._dialect._do_ping_w_event(connection)
        except self._driver_error:
            return False

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        record = cast(TenantRecord, record)
        if not self._budget.is_lent(record.lease):
            return  # opened before a fork: the parent's
        connection = record.dbapi_connection
        if connection is not None:
            try:
                self._hygiene.begin(connection)
            except self._driver_error:
                record.close()
        if record.dbapi_connection is None:
            if record.raw is not None:
                self._close_connection(record.raw)  # detach() would take it out of the count
            self._budget.forfeit(record.lease)
        else:
            record.idle_since = time.monotonic()
            self._budget.release(record.lease, record)

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        wait = self._hygiene.end_of(connection)
        super()._close_connection(connection, terminate=terminate)
        wait()

    def recreate(self) -> TenantPool:
        """A pool like this one: `Engine.dispose` asks for it."""
        return type(self)(
            self._creator,
            budget=self._budget,
            hygiene=self._hygiene,
            holder=self._shelf.holder,
            ping_after_s=self._ping_after_s,
            dialect=cast(Dialect, self._dialect),
            blueprint=self,
            spans=self._spans,
        )

    def dispose(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        self._budget.retire(self._shelf)

    def status(self) -> str:
        """A line for people."""
        return f"tenant {self._shelf.holder}: {self._budget.open_count} connections open to {self._budget.server}"


class TracedPool(TenantPool):
    """A tenant's pool, with a span for each connection that is taken: the wait in the queue, and a new connection if it is one."""

    def _do_get(self) -> TenantRecord:
        with self._spans.span("checkout", tenant=self._shelf.holder, server=self._budget.server):
            return super()._do_get()


class Budgets:
    """The budget of each server, kept when what reaches the server is made anew.

    Args:
        limits: the bounds, the same for every server.
    """

    def __init__(self, limits: PoolLimits) -> None:
        self.limits, self._limit = limits, limits.share
        self._by_server: dict[str, Budget] = {}
        self._lock = threading.Lock()

    def of(self, server: str) -> Budget:
        """The server's budget."""
        with self._lock:
            budget = self._by_server.get(server)
            if budget is None:
                budget = self._by_server[server] = ConnectionBudget(server, self.limits)
                budget.resize(self._limit)
            return budget

    def resize(self, limit: int) -> int:
        """Change every server's bound; gives the most connections that are still open to one of them."""
        with self._lock:
            self._limit = limit
            budgets = list(self._by_server.values())
        for budget in budgets:
            budget.resize(limit)
        return max((budget.open_count for budget in budgets), default=0)

    def report(self) -> list[ServerConnections]:
        """One value for each server that was used."""
        with self._lock:
            budgets = list(self._by_server.values())
        return [budget.report() for budget in budgets]
