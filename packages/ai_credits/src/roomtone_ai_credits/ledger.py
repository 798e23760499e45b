"""The ledger in the database: acts of one account, planned together and written in one transaction.

The lock order is account → limits → lots → holds, everywhere: whoever changes a limit, a lot or a hold has locked its account's row first,
so that callers of one account queue and callers of different accounts never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError

from . import postgres, sqlite
from .acts import Act, Outcome, carry_out, plan
from .errors import LedgerBusy, UnknownHold
from .models import ACCOUNT, HOLD
from .page import Loaded, Needs, Page
from .shelf import Kept, Shelf

TRIES = 4
POINTS = ("begun", "planned", "committed")
KNOWN_HOLDS_MAX = 10_000


class Ledger:
    """Carries out acts on the accounts of one database.

    Args:
        lock_timeout_s: seconds to wait for an account that another transaction has locked; on SQLite the driver's own `timeout` counts.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime], lock_timeout_s: int = 10) -> None:
        self.engine = engine
        self._clock = clock
        self._lock_timeout_s = lock_timeout_s
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._accounts: dict[str, str] = {}
        self.shelf = Shelf()
        self.reached: Callable[[str], None] = lambda _point: None
        """Called at each of POINTS of a transaction; tests crash there."""

    # Any, here and below: acts of one batch have answers of many types.
    def transact(self, account: str, acts: Sequence[Act[Any]]) -> list[Outcome]:
        """Carry out acts in one transaction of its own, and commit before answering. Without acts, time alone is caught up with.

        A connection that breaks, or a conflict of transactions, is tried again up to TRIES times in all: every act has a key, so what
        was committed unseen is answered as it was the first time. When nothing succeeds nothing is written.
        """
        for number in range(TRIES):
            try:
                return self._transact_sqlite(account, acts) if self._is_sqlite else self._transact_postgres(account, acts)
            except self.engine.dialect.loaded_dbapi.Error as problem:
                self.shelf.clear()
                if _is_locked(problem):
                    raise LedgerBusy(account, "another transaction keeps it locked") from problem
                if number == TRIES - 1 or not self._is_passing(problem):
                    # As SQLAlchemy would have raised it, for hosts that catch its errors.
                    raise DBAPIError.instance("credits", {}, problem, self.engine.dialect.loaded_dbapi.Error) from problem
            except _NobodyWroteError:
                continue
        raise AssertionError("an account is made by one of two who try")

    def within(self, connection: Connection, account: str, act: Act[Any]) -> Any:
        """Carry out one act in the caller's transaction, and raise what is wrong with it. Never commits.

        Effects: locks the account's row until that transaction ends.
        """
        for _ in range(TRIES):
            needs = Needs.of(account, self._clock(), [act])
            page = Page.of(needs, self._load_within(connection, needs))
            answer = plan(page.books, act)
            if self._save_within(connection, needs, page):
                return answer
        raise AssertionError("an account is made by one of two who try")

    def known_account_of(self, hold_id: str) -> str | None:
        """Return whose hold this is, if this process has held or looked for it lately; reads nothing."""
        return self._accounts.get(hold_id)

    def account_of(self, hold_id: str) -> str:
        """Return whose hold this is. Raises: UnknownHold."""
        if (known := self.known_account_of(hold_id)) is not None:
            return known
        query = select(ACCOUNT.c.account).join(HOLD, HOLD.c.account_id == ACCOUNT.c.id).where(HOLD.c.id == hold_id)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            account = connection.scalar(query)
        if account is None:
            raise UnknownHold(hold_id)
        return self.remember(hold_id, account)

    def remember(self, hold_id: str, account: str) -> str:
        """Keep in mind whose hold this is, which saves a query when it settles."""
        if len(self._accounts) >= KNOWN_HOLDS_MAX:
            self._accounts.clear()
        self._accounts[hold_id] = account
        return account

    def _transact_postgres(self, account: str, acts: Sequence[Act[Any]]) -> list[Outcome]:
        from psycopg import ClientCursor  # an extra: SQLite needs no driver of PostgreSQL

        needs = Needs.of(account, self._clock(), acts)
        kept = self.shelf.take(needs)
        with self._borrowed() as driver, _beginning_itself(driver):
            if kept is not None and (outcomes := self._turn(driver, kept, needs, acts)) is not None:
                return outcomes
            # Written out by the driver, so that several statements go in one message: two round trips in all.
            cursor = ClientCursor(driver)
            cursor.execute(postgres.BEGIN + postgres.LOAD, postgres.loading(needs, lock_timeout_s=self._lock_timeout_s))
            self.reached("begun")
            cursor.nextset()  # past the answer to BEGIN
            page = Page.of(needs, postgres.read(cursor.fetchall()[0][0]))
            outcomes = carry_out(page.books, acts)
            self.reached("planned")
            if not _is_kept(page, acts, outcomes):
                cursor.execute("ROLLBACK")
                return outcomes
            account_id = page.books.id = page.books.id or postgres.create(cursor.execute, needs)
            if account_id is None:
                cursor.execute("ROLLBACK")
                raise _NobodyWroteError
            cursor.execute(postgres.SAVE + "; COMMIT", postgres.saving(account_id, page.changes(account_id)))
            self.reached("committed")
            self.shelf.put(page, cursor.fetchall()[0][1])
        return outcomes

    def _turn(self, driver: Any, kept: Kept, needs: Needs, acts: Sequence[Act[Any]]) -> list[Outcome] | None:
        """Plan on the books as they were left, and write that in one message; None when they are no longer what they were.

        What writes nothing cannot tell whether they are, so it is planned anew.
        """
        from psycopg import Cursor
        from psycopg.rows import tuple_row

        self.reached("begun")
        page = kept.page
        outcomes = carry_out(page.books, acts)
        self.reached("planned")
        if not _is_kept(page, acts, outcomes):
            return None
        assert page.books.id is not None
        parameters = postgres.saving(page.books.id, page.changes(page.books.id))
        parameters |= postgres.turning(kept.version, kept.new_hold_keys, needs, lock_timeout_s=self._lock_timeout_s)
        (version,) = Cursor(driver, row_factory=tuple_row).execute(postgres.TURN, parameters).fetchall()[0]
        if version is None:
            self.shelf.missed(needs.account)
            return None
        self.reached("committed")
        self.shelf.hit(needs.account)
        self.shelf.put(page, version)
        return outcomes

    def _transact_sqlite(self, account: str, acts: Sequence[Act[Any]]) -> list[Outcome]:
        with self._borrowed() as driver:
            # A host may have set up the driver to begin by itself.
            is_ours = not driver.in_transaction
            if is_ours:
                driver.execute("BEGIN IMMEDIATE")
            needs = Needs.of(account, self._clock(), acts)
            if not is_ours:
                sqlite.lock(driver.executemany, needs)
            self.reached("begun")
            page = Page.of(needs, sqlite.load(lambda sql, values: driver.execute(sql, values).fetchall(), needs))
            outcomes = carry_out(page.books, acts)
            self.reached("planned")
            if not _is_kept(page, acts, outcomes):
                driver.rollback()
                return outcomes
            account_id = page.books.id or sqlite.create(lambda sql, values: driver.execute(sql, values).fetchall(), needs)
            sqlite.save(driver.executemany, account_id, page.changes(account_id))
            driver.commit()
            self.reached("committed")
        return outcomes

    # Any: the driver's connection; two drivers share no type.
    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        """A connection of the pool, without SQLAlchemy's own statements around ours. After whatever went wrong it is not used again."""
        borrowed = self.engine.raw_connection()
        try:
            yield borrowed.driver_connection
        except BaseException as problem:
            if isinstance(problem, self.engine.dialect.loaded_dbapi.OperationalError) and not _is_conflict(problem):
                # As SQLAlchemy does: a server that went away took all idle connections with it, and each would cost a try.
                self.engine.pool._invalidate(borrowed, problem)
            else:
                borrowed.invalidate(problem)
            raise
        finally:
            borrowed.close()

    def _load_within(self, connection: Connection, needs: Needs) -> Loaded:
        if self._is_sqlite:
            sqlite.lock(connection.exec_driver_sql, needs)
            return sqlite.load(lambda sql, values: list(connection.exec_driver_sql(sql, values)), needs)
        send = _sender(connection)
        return postgres.load(send, needs, lock_timeout_s=self._lock_timeout_s)

    def _save_within(self, connection: Connection, needs: Needs, page: Page) -> bool:
        if not page.is_changed:
            return True
        account_id = page.books.id
        if self._is_sqlite:
            account_id = account_id or sqlite.create(lambda sql, values: list(connection.exec_driver_sql(sql, values)), needs)
            sqlite.save(connection.exec_driver_sql, account_id, page.changes(account_id))
            return True
        send = _sender(connection)
        if account_id is None and (account_id := postgres.create(send, needs)) is None:
            return False
        send(postgres.SAVE, postgres.saving(account_id, page.changes(account_id)))
        return True

    def _is_passing(self, problem: Exception) -> bool:
        """Whether trying again on a new connection may help."""
        if self._is_sqlite:
            return False
        # 57P: the server goes down or the session was ended; 08: the connection broke.
        state = getattr(problem, "sqlstate", None)
        if state is None:
            return isinstance(problem, self.engine.dialect.loaded_dbapi.OperationalError)
        return _is_conflict(problem) or state[:3] == "57P" or state[:2] == "08"


@contextmanager
def _beginning_itself(driver: Any) -> Iterator[None]:  # Any: a driver that may not be installed
    """Keep the driver from beginning a transaction with a message of its own, and in a mode of the host's."""
    before = driver.autocommit
    driver.autocommit = True
    yield
    driver.autocommit = before


class _NobodyWroteError(Exception):
    """Another made the account's row first; nothing was written."""


def _is_locked(problem: Exception) -> bool:
    """Whether another transaction kept the account, or all of SQLite, for longer than one waits."""
    return getattr(problem, "sqlstate", None) == "55P03" or getattr(problem, "sqlite_errorname", None) == "SQLITE_BUSY"


def _is_conflict(problem: Exception) -> bool:
    """Whether the server chose this transaction to give way: a serialization failure or a deadlock."""
    return getattr(problem, "sqlstate", None) in {"40001", "40P01"}


def _is_kept(page: Page, acts: Sequence[Act[Any]], outcomes: Sequence[Outcome]) -> bool:
    """A transaction in which every act was refused leaves no trace."""
    return page.is_changed and (not acts or any(outcome.problem is None for outcome in outcomes))


def _sender(connection: Connection) -> postgres.Send:
    def send(statement: str, parameters: Mapping[str, Any]) -> postgres.Found:
        return connection.exec_driver_sql(statement, dict(parameters))

    return send
