"""Leases in the catalog: one worker at a time, and a fence against the one before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from .errors import LeaseLost, OperationBusy
from .insertion import insert_into
from .models import LeaseRow
from .process import is_surely_dead, own_identity

T = TypeVar("T")
_MINE = update(LeaseRow).where(LeaseRow.name == bindparam("lease"), LeaseRow.generation == bindparam("held"))


@dataclass(kw_only=True, slots=True)
class Lease:
    """A hold on a name; later takers have a higher generation.

    Args:
        is_over: it was given back before the end of the block that holds it.
    """

    name: str
    generation: int
    is_over: bool = False

    def check(self, session: Session) -> None:
        """Make the rest of this transaction happen only while the hold is ours.

        Raises:
            LeaseLost: another process has taken it.

        Effects:
            Locks the lease's row until the transaction ends.
        """
        # An UPDATE, since it locks on SQLite too.
        self._set(session, generation=self.generation)

    @contextmanager
    def last(self, session: Session, now: datetime) -> Iterator[None]:
        """Commit the block and give the lease back in one transaction of the session's.

        Raises:
            LeaseLost: another process has taken it.
        """
        with session.begin():
            self._set(session, owner=None, expires_at=now)
            yield
        self.is_over = True

    def _set(self, session: Session, **values: Any) -> None:
        if session.connection().execute(_MINE, {"lease": self.name, "held": self.generation, **values}).rowcount != 1:
            raise LeaseLost(self.name)


@dataclass(frozen=True, kw_only=True)
class Leases:
    """Gives out leases.

    Args:
        ttl_s: how long a silent owner is believed alive, seconds. An owner that is seen to be dead on this host is replaced at once.
    """

    catalog: Engine
    clock: Callable[[], datetime]
    ttl_s: float = 15.0

    @contextmanager
    def hold(self, name: str) -> Iterator[Lease]:
        """Take the lease, renew it in the background, give it back at the end.

        Raises:
            OperationBusy: a living owner has it.
        """
        with self.hold_and(name, lambda _, lease: lease) as lease:
            yield lease

    @contextmanager
    def hold_and(self, name: str, begin: Callable[[Session, Lease], T]) -> Iterator[T]:
        """As `hold`, for a block that is given what `begin` makes of the lease in the very transaction that takes it."""
        with Session(self.catalog) as session, session.begin():
            lease = self._take(session.connection(), name)
            begun = begin(session, lease)
        stop = threading.Event()
        renewer = threading.Thread(target=self._renew_until, args=(lease, stop), name=f"lease {name}", daemon=True)
        renewer.start()
        try:
            yield begun
        finally:
            stop.set()
            renewer.join()
            if not lease.is_over:
                with suppress(SQLAlchemyError), self.catalog.begin() as connection:
                    connection.execute(_MINE, {"lease": lease.name, "held": lease.generation, "owner": None, "expires_at": self.clock()})

    def _take(self, connection: Connection, name: str) -> Lease:
        now = self.clock()
        mine = {"lease": name, "owner": own_identity(), "until": now + timedelta(seconds=self.ttl_s)}
        generation = connection.scalar(_taken_if_free(connection.dialect.name), {**mine, "now": now})
        if generation is None:
            row = connection.execute(select(LeaseRow.owner, LeaseRow.generation).where(LeaseRow.name == name)).one()
            if row.owner is not None and not is_surely_dead(row.owner):
                raise OperationBusy(name, owner=row.owner)
            # Compare and set: of two that saw the same owner dead one wins.
            generation = connection.scalar(_taken_if_unchanged(connection.dialect.name), {**mine, "seen": row.generation})
        if generation is None:
            raise OperationBusy(name, owner="another process, since this moment")
        return Lease(name=name, generation=generation)

    def _renew_until(self, lease: Lease, stop: threading.Event) -> None:
        while not stop.wait(self.ttl_s / 3):
            # A catalog that is away now may be back before the lease ends; if not, check() says so.
            with suppress(SQLAlchemyError), self.catalog.begin() as connection:
                until = self.clock() + timedelta(seconds=self.ttl_s)
                connection.execute(_MINE, {"lease": lease.name, "held": lease.generation, "expires_at": until})


@lru_cache(2)
def _taken_if_free(dialect: str) -> Any:  # either dialect's INSERT
    return _taking(dialect, LeaseRow.owner.is_(None) | (LeaseRow.expires_at <= bindparam("now")))


@lru_cache(2)
def _taken_if_unchanged(dialect: str) -> Any:  # either dialect's INSERT
    return _taking(dialect, LeaseRow.generation == bindparam("seen"))


def _taking(dialect: str, where: ColumnElement[bool]) -> Any:
    """Takes a lease in one statement, of which the database does one at a time; gives no generation when somebody has it."""
    mine = {"owner": bindparam("owner", type_=LeaseRow.owner.type), "expires_at": bindparam("until", type_=LeaseRow.expires_at.type)}
    insert = insert_into(dialect, LeaseRow).values(name=bindparam("lease"), generation=1, **mine)
    taken = {**mine, "generation": LeaseRow.generation + 1}
    return insert.on_conflict_do_update(index_elements=[LeaseRow.name], set_=taken, where=where).returning(LeaseRow.generation)
