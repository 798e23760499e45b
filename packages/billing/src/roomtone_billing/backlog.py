"""How much is waiting, and for how long: the figures to watch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from . import inbox, outbox
from .models import AccountRow, InboxRow, OutboxRow

WAITING = (inbox.State.pending, inbox.State.connected, inbox.State.unowned, inbox.State.stranger, inbox.State.marked)


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits: events by state, accounts to fetch, and the ages (seconds, 0 when nothing waits) of the oldest of each.

    Attributes:
        failing: accounts whose last fetch failed.
        overdue: accounts whose phase may have changed and whom `sweep` has not looked at.
        sweep_age_s: how long the first of those waits.
    """

    inbox: Mapping[str, int]
    outbox: Mapping[str, int]
    dirty: int
    failing: int
    overdue: int
    inbox_age_s: float
    outbox_age_s: float
    sweep_age_s: float

    @property
    def dead(self) -> int:
        """Events of Stripe and of ours that a person must look at."""
        return self.inbox.get(inbox.State.dead, 0) + self.outbox.get(outbox.State.dead, 0)


def measure(session: Session, *, now: datetime) -> Backlog:
    """Count, in a handful of queries."""
    stripe_events = select(InboxRow.state, func.count()).group_by(InboxRow.state)
    ours = select(OutboxRow.state, func.count()).group_by(OutboxRow.state)
    overdue, first_check = session.execute(select(func.count(), func.min(AccountRow.check_at)).where(AccountRow.check_at <= now)).one()
    return Backlog(
        inbox={str(state): count for state, count in session.execute(stripe_events)},
        outbox={str(state): count for state, count in session.execute(ours)},
        dirty=session.scalar(select(func.count()).where(AccountRow.is_dirty)) or 0,
        failing=session.scalar(select(func.count()).where(AccountRow.attempts > 0)) or 0,
        overdue=overdue,
        inbox_age_s=_age(session.scalar(select(func.min(InboxRow.received_at)).where(InboxRow.state.in_(WAITING))), now),
        outbox_age_s=_age(session.scalar(select(func.min(OutboxRow.created_at)).where(OutboxRow.state == outbox.State.pending)), now),
        sweep_age_s=_age(first_check, now),
    )


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
