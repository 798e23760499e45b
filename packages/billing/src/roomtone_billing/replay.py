"""Taking stored events up again, and forgetting those that are long done."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from .inbox import State, as_if_new
from .models import InboxRow

# Stripe lists events for thirty days and sends one again on request as long; what is forgotten earlier could be stored twice.
KEEP_MIN = timedelta(days=31)


def between(session: Session, *, since: datetime, until: datetime, limit: int) -> int:
    """Take up the events received from `since` to before `until`, oldest first; returns how many. Harmless: the truth is fetched."""
    wanted = select(InboxRow.id).where(
        InboxRow.received_at >= since,
        InboxRow.received_at < until,
        InboxRow.state.not_in([State.ignored, State.pending, State.connected, State.unowned]),
    )
    return _take_up(session, wanted.order_by(InboxRow.id).limit(limit))


def dead(session: Session, *, limit: int) -> int:
    """Take up the events that were put aside after too many failures, oldest first; returns how many."""
    return _take_up(session, select(InboxRow.id).where(InboxRow.state == State.dead).order_by(InboxRow.id).limit(limit))


def forget(session: Session, *, before: datetime, limit: int) -> int:
    """Delete the events that are done with and were received before; returns how many. What is pending or dead stays."""
    old = (
        select(InboxRow.id)
        .where(InboxRow.received_at < before, InboxRow.state.in_([State.done, State.ignored, State.foreign]))
        .order_by(InboxRow.id)
        .limit(limit)
    )
    return len(session.scalars(delete(InboxRow).where(InboxRow.id.in_(old)).returning(InboxRow.id)).all())


def _take_up(session: Session, wanted: Select[int]) -> int:
    taken = session.scalars(update(InboxRow).where(InboxRow.id.in_(wanted)).values(as_if_new()).returning(InboxRow.id))
    return len(taken.all())
