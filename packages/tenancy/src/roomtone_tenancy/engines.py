"""Engines of tenants: one dialect and statement cache per server, one connection budget, a proof of identity on each connection."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, util
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, Pool, _AdhocProxiedConnection

from .budget import ConnectionBudget
from .errors import StampMismatch, TenantReadOnly
from .lifecycle import TenantState
from .server import PoolLimits, Server
from .tenant import Tenant

_OPTION = "roomtone_tenant"
_READ_ONLY_SQLSTATE = "25006"


class TenantPool(Pool):
    """One tenant's connections, taken from its server's budget."""

    def __init__(self, creator: Any, *, budget: ConnectionBudget[ConnectionPoolEntry], holder: str, **options: Any) -> None:
        super().__init__(creator, pre_ping=True, **options)  # creator and options are Pool's own
        self._budget, self._holder = budget, holder

    def _do_get(self) -> ConnectionPoolEntry:
        record = self._budget.acquire(self._holder)
        if record is not None:
            return record
        try:
            return self._create_connection()
        except BaseException:
            self._budget.forfeit(self._holder)
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if record.dbapi_connection is None:
            self._budget.forfeit(self._holder)  # it broke in use
        else:
            self._budget.release(self._holder, record)

    def recreate(self) -> TenantPool:
        """A pool like this one: `Engine.dispose` asks for it."""
        return TenantPool(self._creator, budget=self._budget, holder=self._holder, dialect=self._dialect, _dispatch=self.dispatch)

    def dispose(self) -> None:
        """Close what is idle; what is lent is closed by the budget's count when it comes back."""
        self._budget.drain(self._holder)

    def status(self) -> str:
        """A line for people."""
        return f"tenant {self._holder}: {self._budget.open_count} connections open to {self._budget.server}"


class ServerEngines:
    """The engines of one server's tenants. They share one dialect and one cache of compiled statements: a second engine
    of SQLAlchemy's own would compile everything again and keep it.

    Args:
        server: where they connect.
        limits: bounds on connections and engines.
        state: what the tenant may do now, asked at the start of each transaction; raises when it may do nothing.
    """

    def __init__(self, server: Server, limits: PoolLimits, state: Callable[[Tenant], TenantState]) -> None:
        # Never connected. hstore's types have a number of their own in each database: read them as text instead.
        native = {} if server.is_sqlite else {"use_native_hstore": False}
        self._blueprint = create_engine(server.parsed, hide_parameters=True, **native)
        self._limits, self._state = limits, state
        self.budget: ConnectionBudget[ConnectionPoolEntry] = ConnectionBudget(server.name, limits)
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = threading.Lock()
        self._initialising, self._is_initialised = threading.Lock(), False
        event.listen(self._blueprint.dialect, "handle_error", _explain_read_only)

    def get(self, tenant: Tenant, url: Callable[[], URL]) -> Engine:
        """The tenant's engine; `url` is asked only when it is not known yet. Connects nothing."""
        with self._lock:
            engine = self._engines.get(tenant.id)
            if engine is not None:
                self._engines.move_to_end(tenant.id)
                return engine
        made = self._make(tenant, url())
        event.listen(made, "begin", lambda connection: self._gate(connection, tenant))
        with self._lock:
            engine = self._engines.setdefault(tenant.id, made)
            forgotten = [self._engines.popitem(last=False)[1] for _ in range(len(self._engines) - self._limits.engines)]
        for each in forgotten:
            each.pool.dispose()
        return engine

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
        return self._make(tenant, url)

    def _make(self, tenant: Tenant, url: URL) -> Engine:
        dialect = self._blueprint.dialect
        arguments, options = dialect.create_connect_args(url)

        def connect() -> DBAPIConnection:
            connection = dialect.connect(*arguments, **options)
            try:
                prove(dialect, connection, tenant)
            except BaseException:
                connection.close()
                raise
            return connection

        pool = TenantPool(connect, budget=self.budget, holder=tenant.key, dialect=dialect)
        engine = Engine(pool, dialect, url, execution_options={_OPTION: tenant.key}, hide_parameters=True)
        engine._compiled_cache = self._blueprint._compiled_cache
        self._hook_up(engine, dialect)
        return engine

    def _hook_up(self, engine: Engine, dialect: Dialect) -> None:
        """Do what `create_engine` does around a dialect: its own hooks on each connection, its look at the server once."""
        prepare = dialect.on_connect_url(engine.url)
        if prepare is not None:
            event.listen(engine.pool, "connect", lambda connection, _: prepare(connection))
        builtin = dialect._builtin_onconnect()
        if builtin is not None:
            event.listen(engine.pool, "connect", builtin)
        event.listen(engine.pool, "connect", lambda connection, record: self._initialise(engine, connection, record))
        if dialect.name == "sqlite":
            event.listen(engine.pool, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)

    def _initialise(self, engine: Engine, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        """Let the dialect look at the server; a first tenant that fails leaves it to the next one."""
        with self._initialising:
            if not self._is_initialised:
                adhoc = Connection(
                    engine,
                    connection=_AdhocProxiedConnection(connection, record),
                    _has_events=False,
                    _allow_revalidate=False,
                    _allow_autobegin=False,
                )
                adhoc._execution_options = util.EMPTY_DICT
                engine.dialect.initialize(adhoc)
                engine.dialect.do_rollback(adhoc.connection)
                self._is_initialised = True

    def _gate(self, connection: Connection, tenant: Tenant) -> None:
        """Refuse the transaction, or have the database refuse its writes, as the tenant's state says."""
        is_read_only = self._state(tenant) is TenantState.READ_ONLY
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA query_only = {int(is_read_only)}")
        elif is_read_only:
            if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
                raise TenantReadOnly(tenant.key)  # without a transaction there is nothing to make read-only
            # A SELECT, not SET TRANSACTION: after a first query PostgreSQL refuses to make the transaction writable again.
            connection.exec_driver_sql("SELECT set_config('transaction_read_only', 'on', true)")


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
        if dialect.is_disconnect(error, None, cursor):
            raise
        raise StampMismatch(tenant.key, expected=tenant.id, found=None) from error
    finally:
        cursor.close()
    connection.rollback()
    if row is None or row[0] != tenant.id:
        raise StampMismatch(tenant.key, expected=tenant.id, found=None if row is None else row[0])


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:  # a sqlite3.Connection
    # sqlite3 would commit before DDL and begin only before some statements: we begin ourselves, so that all of it rolls back.
    connection.isolation_level = None
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _explain_read_only(context: ExceptionContext) -> BaseException | None:
    """Turn the database's refusal to write into `TenantReadOnly`."""
    options: Any = context.connection.get_execution_options() if context.connection is not None else {}
    error = context.original_exception
    refused = getattr(error, "sqlstate", None) == _READ_ONLY_SQLSTATE or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY
    return TenantReadOnly(options[_OPTION]) if refused and _OPTION in options else None
