"""Deciding on a proposal: by the person it was made to, for exactly what they were shown, in time, and once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio.assistant.conversations import PROPOSAL
from studio.assistant.errors import PriceChanged, ProposalClosed
from studio.assistant.models import Action
from studio.assistant.queries import ActionView, action_of
from studio.assistant.rules import ActionState, fingerprint
from studio.contexts.scheduling import tools as scheduling
from studio.errors import NotFound


def confirm(db: Session, public_id: str, *, user_id: str, key: str, now: datetime) -> ActionView:
    """Do what was proposed. Confirmed again, it is the same booking.

    Args:
        user_id: who confirms.
        key: what the card carried: the fingerprint of what it showed.

    Raises:
        NotFound: the person has no such proposal, or it is not the one that the card showed.
        ProposalClosed: it was rejected, or its time ran out.
        BookingRefused: the room was taken in the meantime, or cannot be had for another reason. The proposal stays open.
        PriceChanged: it would cost something else by now. The proposal stays open.

    Effects:
        Writes the booking, and locks the proposal until the transaction ends.
    """
    row = _mine(db, public_id, user_id=user_id, key=key)
    if ActionState(row.state) is ActionState.confirmed:
        return action_of(row, now)
    if ActionState(row.state) is not ActionState.proposed or row.expires_at <= now:
        raise ProposalClosed(action_of(row, now).state)
    booking = scheduling.confirm_proposal(db, PROPOSAL.validate_python({**row.arguments, **row.preview}), now=now, by=user_id)
    shown_minor = row.arguments["price_minor"]
    if booking.price_minor != shown_minor:
        raise PriceChanged(shown_minor=shown_minor, now_minor=booking.price_minor)
    row.state, row.decided_at = ActionState.confirmed, now
    row.result = {"booking": booking.public_id, "code": booking.code}
    db.flush()
    return action_of(row, now)


def reject(db: Session, public_id: str, *, user_id: str, key: str, now: datetime) -> ActionView:
    """Put a proposal away. Rejected again, or after its time, nothing happens.

    Raises:
        NotFound: the person has no such proposal, or it is not the one that the card showed.
        ProposalClosed: it was confirmed.
    """
    row = _mine(db, public_id, user_id=user_id, key=key)
    if ActionState(row.state) is ActionState.confirmed:
        raise ProposalClosed(row.state)
    if ActionState(row.state) is ActionState.proposed:
        row.state, row.decided_at = ActionState.rejected, now
        db.flush()
    return action_of(row, now)


def show(db: Session, public_id: str, *, user_id: str, now: datetime) -> ActionView:
    """A proposal as its card shows it.

    Raises:
        NotFound: the person has no such proposal.
    """
    row = db.scalar(select(Action).where(Action.public_id == public_id, Action.user_id == user_id))
    if row is None:
        raise NotFound("There is no such proposal.")
    return action_of(row, now)


def _mine(db: Session, public_id: str, *, user_id: str, key: str) -> Action:
    """The person's proposal, locked, if it still is what the key says."""
    row = db.scalar(select(Action).where(Action.public_id == public_id, Action.user_id == user_id).with_for_update())
    if row is None:
        raise NotFound("There is no such proposal.")
    is_as_shown = (
        key
        == row.key
        == fingerprint(kind=row.kind, arguments=row.arguments, preview=row.preview, user_id=row.user_id, expires_at=row.expires_at)
    )
    if not is_as_shown:
        raise NotFound("This is not the proposal that was shown.")
    return row
