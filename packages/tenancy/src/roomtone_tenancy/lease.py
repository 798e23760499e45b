"""Leases in the catalog: one worker at a time, and a fence against the one before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Engine, Update, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from .errors import LeaseLost, OperationBusy
from .insertion import insert_into
from .models import LeaseRow
from .process import is_surely_dead, own_identity


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A hold on a name; later takers have a higher generation."""

    name: str
    generation: int

    def check(self, session: Session) -> None:
        """Make the rest of this transaction happen only while the hold is ours.

        Raises:
            LeaseLost: another process has taken it.

        Effects:
            Locks the lease's row until the transaction ends.
        """
        # An UPDATE, since it locks on SQLite too.
        mine = update(LeaseRow).where(LeaseRow.name == self.name, LeaseRow.generation == self.generation)
        if session.connection().execute(mine.values(generation=self.generation)).rowcount != 1:
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
        lease = self._take(name)
        stop = threading.Event()
        renewer = threading.Thread(target=self._renew_until, args=(lease, stop), name=f"lease {name}", daemon=True)
        renewer.start()
        try:
            yield lease
        finally:
            stop.set()
            renewer.join()
            with suppress(SQLAlchemyError), self.catalog.begin() as connection:
                connection.execute(self._mine(lease).values(owner=None, expires_at=self.clock()))

    def _take(self, name: str) -> Lease:
        now = self.clock()
        mine = {"owner": own_identity(), "expires_at": now + timedelta(seconds=self.ttl_s)}
        with self.catalog.begin() as connection:
            is_free = LeaseRow.owner.is_(None) | (LeaseRow.expires_at <= now)
            generation = self._set(connection, name, mine, is_free)
            if generation is None:
                row = connection.execute(select(LeaseRow.owner, LeaseRow.generation).where(LeaseRow.name == name)).one()
                if row.owner is not None and not is_surely_dead(row.owner):
                    raise OperationBusy(name, owner=row.owner)
                # Compare and set: of two that saw the same owner dead one wins.
                generation = self._set(connection, name, mine, LeaseRow.generation == row.generation)
            if generation is None:
                raise OperationBusy(name, owner="another process, since this moment")
        return Lease(name=name, generation=generation)

    @staticmethod
    def _set(connection: Connection, name: str, mine: dict[str, Any], where: ColumnElement[bool]) -> int | None:
        """Take it in one statement, of which the database does one at a time; None when somebody has it."""
        insert = insert_into(connection, LeaseRow).values(name=name, generation=1, **mine)
        taken = {**mine, "generation": LeaseRow.generation + 1}
        statement = insert.on_conflict_do_update(index_elements=[LeaseRow.name], set_=taken, where=where).returning(LeaseRow.generation)
        return cast("int | None", connection.scalar(statement))

    def _renew_until(self, lease: Lease, stop: threading.Event) -> None:
        while not stop.wait(self.ttl_s / 3):
            # A catalog that is away now may be back before the lease ends; if not, check() says so.
            with suppress(SQLAlchemyError), self.catalog.begin() as connection:
                connection.execute(self._mine(lease).values(expires_at=self.clock() + timedelta(seconds=self.ttl_s)))

    @staticmethod
    def _mine(lease: Lease) -> Update:
        return update(LeaseRow).where(LeaseRow.name == lease.name, LeaseRow.generation == lease.generation)
