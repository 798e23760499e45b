"""How much is waiting, and for how long: the figures to watch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from . import inbox, outbox
from .models import AccountRow, ClosingRow, InboxRow, MeteredRow, OutboxRow, SellerRow

WAITING = (inbox.State.pending, inbox.State.connected, inbox.State.unowned, inbox.State.stranger, inbox.State.marked)


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits: events and metered uses by state, accounts to fetch, and the ages (seconds, 0 when nothing waits) of the oldest of each.

    Attributes:
        dirty, sellers: accounts, and connected accounts, to be fetched.
        failing: those of both whose last fetch failed.
        closing: accounts whose end Stripe has not confirmed.
        overdue: accounts whose phase may have changed and whom `sweep` has not looked at.
        sweep_age_s: how long the first of those waits.
    """

    inbox: Mapping[str, int]
    outbox: Mapping[str, int]
    metered: Mapping[str, int]
    dirty: int
    sellers: int
    failing: int
    overdue: int
    closing: int
    inbox_age_s: float
    outbox_age_s: float
    metered_age_s: float
    closing_age_s: float
    sweep_age_s: float

    @property
    def dead(self) -> int:
        """Events of Stripe and of ours, and metered uses, that a person must look at."""
        return sum(states.get(inbox.State.dead, 0) for states in (self.inbox, self.outbox, self.metered))


def measure(session: Session, *, now: datetime) -> Backlog:
    """Count, in a handful of queries."""
    overdue, first_check = session.execute(select(func.count(), func.min(AccountRow.check_at)).where(AccountRow.check_at <= now)).one()
    closing, first_asked = session.execute(select(func.count(), func.min(ClosingRow.asked_at)).where(ClosingRow.closed_at.is_(None))).one()
    return Backlog(
        inbox=_by_state(session, InboxRow.state),
        outbox=_by_state(session, OutboxRow.state),
        metered=_by_state(session, MeteredRow.state),
        dirty=_count(session, AccountRow.is_dirty),
        sellers=_count(session, SellerRow.is_dirty),
        failing=_count(session, AccountRow.attempts > 0) + _count(session, SellerRow.attempts > 0),
        overdue=overdue,
        closing=closing,
        inbox_age_s=_oldest(session, InboxRow.received_at, InboxRow.state.in_(WAITING), now),
        outbox_age_s=_oldest(session, OutboxRow.created_at, OutboxRow.state == outbox.State.pending, now),
        metered_age_s=_oldest(session, MeteredRow.created_at, MeteredRow.state == inbox.State.pending, now),
        closing_age_s=_age(first_asked, now),
        sweep_age_s=_age(first_check, now),
    )


def _by_state(session: Session, state: InstrumentedAttribute[str]) -> dict[str, int]:
    return {str(name): count for name, count in session.execute(select(state, func.count()).group_by(state))}


def _count(session: Session, which: ColumnElement[bool] | InstrumentedAttribute[bool]) -> int:
    return session.scalar(select(func.count()).where(which)) or 0


def _oldest(session: Session, since: InstrumentedAttribute[datetime], which: ColumnElement[bool], now: datetime) -> float:
    return _age(session.scalar(select(func.min(since)).where(which)), now)


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
