"""The fence around a truth that is fetched: mark, ticket, fetch, one write. The same for customers and for connected accounts.

A ticket is drawn in the database *before* the fetch, and what was fetched is written only while its ticket is the newest drawn. So of
two fetches the later drawn decides, every truth written was fetched after the one before it was written, and nothing ever goes back in
time. What is heard after a ticket was drawn changes the mark, and leaves the account dirty for another fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, Engine, and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from .errors import GatewayError
from .inbox import State
from .models import FencedRow, InboxRow
from .transactions import Clock, RetryPolicy, writing

# A worker that says nothing for so long is taken for dead; if it is not, the fence stops it.
LEASE = timedelta(seconds=60)

R = TypeVar("R", bound=FencedRow)
Heard = Callable[[Session, InboxRow], object]


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The right to write what is fetched from now on of the thing with that id; `mark` is what the fetch is sure to cover."""

    account: str
    stripe_id: str
    number: int
    mark: int


@dataclass(frozen=True, kw_only=True)
class Fence(Generic[R]):
    """One kind of thing that is fetched.

    Args:
        row: where its truth is kept.
        stripe_id: its id at Stripe; without one there is nothing to fetch.
        named: where an event names it.
        new, waiting, unknown: the states of events nobody has looked at, that wait for a fetch, and that name none of ours.
    """

    row: type[R]
    stripe_id: InstrumentedAttribute[str | None]
    named: InstrumentedAttribute[str | None]
    new: State
    waiting: State
    unknown: State

    def route(self, engine: Engine, *, limit: int, heard: Heard = lambda *_: None) -> int:
        """Mark what new events are about, at most `limit` events; returns how many were looked at.

        Args:
            heard: told of each event that is about one of ours, in that transaction, when it has its mark.
        """
        is_new = and_(InboxRow.state == self.new, InboxRow.mark.is_(None))
        with Session(engine) as session:
            found = session.execute(select(InboxRow.id, self.named).where(is_new).order_by(InboxRow.id).limit(limit)).all()
        if not found:
            return 0
        with writing(engine) as session:
            owners = self._lock(session, {stripe_id for _, stripe_id in found})
            ids = [event for event, _ in found]
            rows = session.scalars(select(InboxRow).where(InboxRow.id.in_(ids), is_new).with_for_update(skip_locked=True)).all()
            owned = [(row, owners.get(getattr(row, self.named.key))) for row in rows]
            marks = {account: self.mark(session, account) for account in sorted({account for _, account in owned if account})}
            for row, account in owned:
                row.state = self.waiting if account else self.unknown
                row.account, row.mark = account, marks[account] if account else None
                if account:
                    heard(session, row)
        return len(rows)

    def _lock(self, session: Session, stripe_ids: set[str | None]) -> dict[str | None, str]:
        """The accounts of the things, locked in one order and before any event: whoever writes a truth locks its row and then that
        account's events, and a row that FOR UPDATE looked at and passed over stays locked all the same."""
        wanted = select(self.stripe_id, self.row.account).where(self.stripe_id.in_(stripe_ids)).order_by(self.row.account)
        return {stripe_id: account for stripe_id, account in session.execute(wanted.with_for_update())}  # noqa: C416 typed so

    def mark(self, session: Session, account: str) -> int | None:
        """Note that something of the account may have changed, and forget its failures; returns the mark, None when it is unknown."""
        return session.execute(
            update(self.row)
            .where(self.row.account == account)
            .values(mark=self.row.mark + 1, is_dirty=True, attempts=0, retry_at=None, error=None)
            .returning(self.row.mark)
        ).scalar_one_or_none()

    def draw(self, engine: Engine, account: str, *, now: datetime) -> Ticket | None:
        """A ticket for that account, whoever else holds one; None when there is nothing of it to fetch."""
        return self._draw(engine, self.row.account == account, now=now)

    def draw_next(self, engine: Engine, *, now: datetime) -> Ticket | None:
        """A ticket for the dirty account that waits longest and that no worker is busy with; None when there is none."""
        row = self.row
        waiting = (
            select(row.account)
            .where(
                row.is_dirty,
                self.stripe_id.is_not(None),
                or_(row.retry_at.is_(None), row.retry_at <= now),
                or_(row.leased_until.is_(None), row.leased_until <= now),
            )
            .order_by(row.retry_at.asc().nulls_first(), row.synced_at.asc().nulls_first(), row.account)
            .limit(1)
        )
        with Session(engine) as session:
            if session.scalar(waiting) is None:
                return None
        return self._draw(engine, row.account == waiting.with_for_update(skip_locked=True).scalar_subquery(), now=now)

    def _draw(self, engine: Engine, which: ColumnElement[bool], *, now: datetime) -> Ticket | None:
        with writing(engine) as session:
            drawn = session.execute(
                update(self.row)
                .where(which, self.stripe_id.is_not(None))
                # Dirty until written: a process that dies while fetching leaves the work to the next.
                .values(ticket=self.row.ticket + 1, is_dirty=True, leased_until=now + LEASE)
                .returning(self.row.account, self.stripe_id, self.row.ticket, self.row.mark)
            ).first()
        if drawn is None or drawn[1] is None:
            return None
        return Ticket(account=drawn[0], stripe_id=drawn[1], number=drawn[2], mark=drawn[3])

    def work(self, engine: Engine, fetch: Callable[[Ticket], object], *, retry: RetryPolicy, clock: Clock, limit: int) -> int:
        """Let what is dirty be fetched, at most `limit`; returns how many were tried. What fails is recorded and waits."""
        for done in range(limit):
            ticket = self.draw_next(engine, now=clock())
            if ticket is None:
                return done
            try:
                fetch(ticket)
            except GatewayError:
                continue  # recorded with the account, which waits for its next attempt
            except SQLAlchemyError:
                raise
            except Exception as error:  # noqa: BLE001 what one account's truth does to our code must not stop the others
                self.fail(engine, ticket, error, retry=retry, now=clock())
        return limit

    @contextmanager
    def asking(self, engine: Engine, ticket: Ticket, *, retry: RetryPolicy, now: datetime) -> Iterator[None]:
        """Around a fetch: a `GatewayError` is recorded with the account, and raised on."""
        try:
            yield
        except GatewayError as error:
            self.fail(engine, ticket, error, retry=retry, now=now)
            raise

    def write(self, engine: Engine, ticket: Ticket, put: Callable[[Session, R], bool], *, now: datetime) -> bool:
        """Let `put` write what was fetched under the ticket, in one transaction; False when the ticket is not the newest.

        Args:
            put: gets the locked row; returns whether all that was heard of up to the ticket's mark is covered by what it wrote.
        """
        with writing(engine) as session:
            row = session.get_one(self.row, ticket.account, with_for_update=True)
            if row.ticket != ticket.number or getattr(row, self.stripe_id.key) != ticket.stripe_id:
                return False
            is_whole = put(session, row)
            row.synced_at, row.is_dirty = now, row.mark != ticket.mark or not is_whole
            row.leased_until, row.retry_at, row.attempts, row.error = None, None, 0, None
            if is_whole:
                session.execute(update(InboxRow).where(self._waits(ticket.account, ticket.mark)).values(state=State.done, error=None))
        return True

    def fail(self, engine: Engine, ticket: Ticket, error: Exception, *, retry: RetryPolicy, now: datetime) -> None:
        """Record that a fetch failed: try again later, or put the account's events aside for a person."""
        reason = f"{type(error).__name__}: {error}"
        with writing(engine) as session:
            row = session.get_one(self.row, ticket.account, with_for_update=True)
            if row.ticket != ticket.number:
                return
            row.attempts, row.error, row.leased_until = row.attempts + 1, reason, None
            row.retry_at = retry.after(row.attempts, now)
            row.is_dirty = row.retry_at is not None
            values = {"attempts": row.attempts, "error": reason} | ({} if row.is_dirty else {"state": State.dead})
            session.execute(update(InboxRow).where(self._waits(ticket.account, row.mark)).values(values))

    def _waits(self, account: str, mark: int) -> ColumnElement[bool]:
        return and_(InboxRow.account == account, InboxRow.state == self.waiting, InboxRow.mark <= mark)
