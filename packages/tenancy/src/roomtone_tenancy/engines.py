"""Engines of tenants: one dialect and statement cache per server, one connection budget, a proof of identity on each connection."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from .comments import OPTION as COMMENT
from .comments import add_comments, comment_of
from .errors import StampMismatch, TenantReadOnly
from .hygiene import Hygiene, PostgresHygiene, SqliteHygiene
from .lifecycle import TenantState
from .pool import Budget, TenantPool, TenantRecord, TracedPool
from .server import PoolLimits, Server
from .spans import OFF, Spans
from .tenant import Tenant

CONNECT_TIMEOUT_S = 5
_OPTION, _UNGATED = "roomtone_tenant", "roomtone_ungated"
_READ_ONLY_SQLSTATE = "25006"


class TenantEngine(Engine):
    """One tenant's engine; `epoch` is the newest for which its URL is known to be right.

    Whoever listens to one listens to all of its server's: they share the blueprint's hooks, and whether there are any.
    """

    epoch: int
    pool: TenantPool
    blueprint: Engine

    @property
    def _has_events(self) -> bool:  # as SQLAlchemy's own OptionEngine shares it
        return self.blueprint._has_events

    @_has_events.setter
    def _has_events(self, value: bool) -> None:
        self.blueprint._has_events = value


class ServerEngines:
    """The engines of one server's tenants. They share the dialect, the cache of compiled statements and the event hooks of
    a blueprint that `create_engine` made and that never connects: an engine of its own would compile everything again and keep it.

    Args:
        server: where they connect.
        limits: bounds on connections and engines.
        state: what the tenant may do now, asked at the start of each transaction; raises when it may do nothing.
        budget: the bound on connections; it outlives a change of the server's address.
        spans: who traces.
        sql_comments: whether each statement names its tenant; see `comments`.
    """

    def __init__(
        self,
        server: Server,
        limits: PoolLimits,
        state: Callable[[Tenant], TenantState],
        budget: Budget,
        *,
        spans: Spans = OFF,
        sql_comments: bool = False,
    ) -> None:
        # hstore's types have a number of their own in each database: read them as text instead.
        native = {} if server.is_sqlite else {"use_native_hstore": False}
        self._blueprint = create_engine(server.parsed, hide_parameters=True, **native)
        self._server, self._limits, self._state, self.budget, self._spans = server, limits, state, budget, spans
        self._pool_of: type[TenantPool] = TenantPool if spans is OFF else TracedPool
        self._has_comments = sql_comments
        if sql_comments:
            add_comments(self._blueprint)
        self._hygiene: Hygiene = SqliteHygiene() if server.is_sqlite else PostgresHygiene(resets=server.pooling != "transaction")
        self._engines: OrderedDict[str, TenantEngine] = OrderedDict()
        self._lock = threading.Lock()
        after_fork = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: (method := after_fork()) and method())
        event.listen(self._blueprint.dialect, "handle_error", _explain_read_only)
        # Not an event of the engine's: with one of those, SQLAlchemy looks for listeners at every other point of a statement too.
        self._blueprint.dialect.do_begin = self._begin  # type: ignore[method-assign]
        if server.is_sqlite:
            event.listen(self._blueprint.pool, "connect", _prepare_sqlite)

    def get(self, tenant: Tenant, url: Callable[[], URL]) -> Engine:
        """The tenant's engine; `url` is asked only for a tenant, or an epoch of it, that is not known yet. Connects nothing.

        Effects:
            When the URL is another one, connections under the old one are closed: idle ones now, lent ones as they come back.
        """
        with self._lock:
            engine = self._engines.get(tenant.id)
            if engine is not None and engine.epoch >= tenant.epoch:
                self._engines.move_to_end(tenant.id)
                return engine
        made = self._make(tenant, url())
        with self._lock:
            engine = self._engines.get(tenant.id)
            if engine is not None and (engine.epoch >= tenant.epoch or (engine.url == made.url and _key_of(engine) == tenant.key)):
                engine.epoch = max(engine.epoch, tenant.epoch)
                return engine
            retired = [] if engine is None else [engine]
            self._engines[tenant.id] = made
            self._engines.move_to_end(tenant.id)
            retired += [self._engines.popitem(last=False)[1] for _ in range(len(self._engines) - self._limits.engines)]
        for each in retired:
            each.pool.dispose()
        return made

    def forget(self, tenant_id: str) -> None:
        """Close the tenant's idle connections and forget its engine."""
        with self._lock:
            engine = self._engines.pop(tenant_id, None)
        if engine is not None:
            engine.pool.dispose()

    def dispose(self) -> None:
        """Close every idle connection."""
        with self._lock:
            engines, self._engines = list(self._engines.values()), OrderedDict()
        for engine in engines:
            engine.pool.dispose()

    def once(self, tenant: Tenant, url: URL) -> Engine:
        """An engine that asks nobody whether the tenant may work, for provisioning it; dispose of it."""
        return self._make(tenant, url, **{_UNGATED: True})

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # another thread of the parent may have held it

    def _make(self, tenant: Tenant, url: URL, **options: Any) -> TenantEngine:  # options are execution options
        dialect = self._blueprint.dialect
        pool = self._pool_of(
            lambda record: self._connect(record, url, tenant, is_gated=_UNGATED not in options),
            budget=self.budget,
            hygiene=self._hygiene,
            holder=tenant.key,
            ping_after_s=self._limits.ping_after_s,
            dialect=dialect,
            blueprint=self._blueprint.pool,
            spans=self._spans,
        )
        if self._has_comments:
            options[COMMENT] = comment_of(tenant.key)
        engine = TenantEngine(pool, dialect, url, execution_options={_OPTION: tenant, **options}, hide_parameters=True)
        engine.epoch = tenant.epoch
        engine._compiled_cache = self._blueprint._compiled_cache
        engine.dispatch = self._blueprint.dispatch
        engine.blueprint = self._blueprint
        return engine

    def _connect(self, record: TenantRecord, url: URL, tenant: Tenant, *, is_gated: bool) -> DBAPIConnection:
        dialect = self._blueprint.dialect
        arguments, options = dialect.create_connect_args(url)
        if not self._server.is_sqlite:
            options = {"connect_timeout": CONNECT_TIMEOUT_S, "autocommit": True, **options}
            if self._server.pooling == "transaction":
                options["prepare_threshold"] = None  # the next transaction may be on another connection
        with self._spans.span("connect", tenant=tenant.key, server=self._server.name):
            return self._opened(record, tenant, arguments, options, is_gated=is_gated)

    def _opened(
        self,
        record: TenantRecord,
        tenant: Tenant,
        arguments: Any,  # the driver's, as are the options
        options: Any,
        *,
        is_gated: bool,
    ) -> DBAPIConnection:
        dialect = self._blueprint.dialect
        try:
            connection: Any = self._open(dialect, arguments, options)
        except dialect.loaded_dbapi.Error:
            if is_gated:
                self._state(tenant)  # a database that was told to let nobody in: say why
            raise
        try:
            prove(dialect, connection, tenant)
            if not self._server.is_sqlite:
                connection.autocommit = False
        except BaseException:
            wait = self._hygiene.end_of(connection)
            connection.close()
            wait()
            raise
        record.raw = connection
        record.info[_OPTION] = tenant if is_gated else None
        return cast(DBAPIConnection, connection)

    def _open(self, dialect: Dialect, arguments: Any, options: Any) -> Any:  # the driver's
        if self._server.is_sqlite:
            return dialect.connect(*arguments, **options)
        from .watching import WatchedConnection

        return WatchedConnection.connect(*arguments, **options)

    def _begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        if self._server.is_sqlite:
            dbapi_connection.cursor().execute("BEGIN")
        tenant: Tenant | None = dbapi_connection.info[_OPTION]
        if tenant is not None:
            self._gate(dbapi_connection, tenant)

    def _gate(self, connection: PoolProxiedConnection, tenant: Tenant) -> None:
        """Refuse the transaction, or have the database refuse its writes, as the tenant's state says."""
        is_read_only = self._state(tenant) is TenantState.READ_ONLY
        driver: Any = connection.driver_connection  # a psycopg or a sqlite3 connection
        if self._server.is_sqlite:
            driver.execute(f"PRAGMA query_only = {int(is_read_only)}")
        elif is_read_only:
            if driver.autocommit:
                raise TenantReadOnly(tenant.key)  # without a transaction there is nothing to make read-only
            # A SELECT, not SET TRANSACTION: after a first query PostgreSQL refuses to make the transaction writable again.
            driver.execute("SELECT set_config('transaction_read_only', 'on', true)")


def _key_of(engine: Engine) -> str:
    options: Any = engine.get_execution_options()
    return str(options[_OPTION].key)


def prove(dialect: Dialect, connection: DBAPIConnection, tenant: Tenant) -> None:
    """Check that the database behind a new connection is the tenant's.

    Raises:
        StampMismatch: it carries another stamp, or none.
    """
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT tenant_id FROM tenancy_stamp")
        row = cursor.fetchone()
    except dialect.loaded_dbapi.Error as error:
        if dialect.name != "sqlite" and isinstance(error, dialect.loaded_dbapi.OperationalError):
            # The connection broke, which says nothing of the stamp; with SQLite a missing table is such an error.
            raise
        raise StampMismatch(tenant.key, expected=tenant.id, found=None) from error
    finally:
        cursor.close()
    if row is None or row[0] != tenant.id:
        raise StampMismatch(tenant.key, expected=tenant.id, found=None if row is None else row[0])


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:  # a sqlite3.Connection
    # sqlite3 would commit before DDL and begin only before some statements: we begin ourselves, so that all of it rolls back.
    connection.isolation_level = None
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA foreign_keys = ON")


def _explain_read_only(context: ExceptionContext) -> BaseException | None:
    """Turn the database's refusal to write into `TenantReadOnly`."""
    options: Any = context.connection.get_execution_options() if context.connection is not None else {}
    error = context.original_exception
    refused = getattr(error, "sqlstate", None) == _READ_ONLY_SQLSTATE or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY
    return TenantReadOnly(options[_OPTION].key) if refused and _OPTION in options else None
