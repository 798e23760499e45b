"""Conversations as the pages show them. A person reads their own and no other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from studio.assistant.models import Action, Conversation, Turn
from studio.assistant.rules import TURN_LOST_AFTER, ActionState, TurnState
from studio.errors import NotFound

CONVERSATIONS_MAX = 30
TURNS_MAX = 50


@dataclass(frozen=True, kw_only=True)
class ActionView:
    """A proposed booking, as its card shows it.

    Attributes:
        key: what the card's form carries back.
        booking: public id of the booking it became; None unless confirmed.
        booking_code: how people name that booking.
    """

    public_id: str
    key: str
    state: ActionState
    sentence: str
    room: str
    client: str | None
    starts_at: datetime
    ends_at: datetime
    price_minor: int
    currency: str
    expires_at: datetime
    booking: str | None
    booking_code: str | None


@dataclass(frozen=True, kw_only=True)
class TurnView:
    """A question, its answer, and the cards below it.

    Attributes:
        charged_micro: micro-credits; None until settled, and for turns that cost nothing.
    """

    public_id: str
    conversation: str
    state: TurnState
    question: str
    answer: str
    charged_micro: int | None
    asked_at: datetime
    actions: tuple[ActionView, ...]


@dataclass(frozen=True, kw_only=True)
class ConversationView:
    """A thread in a list."""

    public_id: str
    title: str
    updated_at: datetime


def conversations(db: Session, user_id: str) -> list[ConversationView]:
    """A person's threads, the last used first, at most `CONVERSATIONS_MAX`."""
    query = select(Conversation).where(Conversation.user_id == user_id).order_by(Conversation.updated_at.desc(), Conversation.id.desc())
    rows = db.scalars(query.limit(CONVERSATIONS_MAX))
    return [ConversationView(public_id=row.public_id, title=row.title, updated_at=row.updated_at) for row in rows]


def turns(db: Session, user_id: str, conversation: str, *, now: datetime) -> list[TurnView]:
    """A thread's last turns, oldest first, at most `TURNS_MAX`.

    Raises:
        NotFound: the person has no such thread.
    """
    found = db.scalar(select(Conversation.id).where(Conversation.public_id == conversation, Conversation.user_id == user_id))
    if found is None:
        raise NotFound("There is no such conversation.")
    rows = db.scalars(_turns().where(Turn.conversation_id == found).order_by(Turn.id.desc()).limit(TURNS_MAX))
    return [turn_of(row, now) for row in reversed(rows.all())]


def turn(db: Session, user_id: str, public_id: str, *, now: datetime) -> TurnView:
    """One turn.

    Raises:
        NotFound: the person has no such turn.
    """
    row = db.scalar(_turns().where(Turn.public_id == public_id, Turn.user_id == user_id))
    if row is None:
        raise NotFound("There is no such question.")
    return turn_of(row, now)


def turn_of(row: Turn, now: datetime) -> TurnView:
    """The page's value for a row whose conversation and actions are loaded."""
    state = TurnState(row.state)
    if is_lost(row, now):
        state = TurnState.failed
    return TurnView(
        public_id=row.public_id,
        conversation=row.conversation.public_id,
        state=state,
        question=row.question,
        answer=row.answer,
        charged_micro=row.charged_micro,
        asked_at=row.asked_at,
        actions=tuple(action_of(action, now) for action in row.actions),
    )


def action_of(row: Action, now: datetime) -> ActionView:
    """The page's value for a row."""
    state = ActionState(row.state)
    result = row.result or {}
    return ActionView(
        public_id=row.public_id,
        key=row.key,
        state=ActionState.expired if state is ActionState.proposed and row.expires_at <= now else state,
        sentence=row.preview["sentence"],
        room=row.preview["room_name"],
        client=row.arguments["client_name"],
        starts_at=datetime.fromisoformat(row.arguments["starts_at"]),
        ends_at=datetime.fromisoformat(row.arguments["ends_at"]),
        price_minor=row.arguments["price_minor"],
        currency=row.arguments["currency"],
        expires_at=row.expires_at,
        booking=result.get("booking"),
        booking_code=result.get("code"),
    )


def is_lost(row: Turn, now: datetime) -> bool:
    """Whether the process that answered it must have died."""
    return TurnState(row.state) is TurnState.running and row.asked_at + TURN_LOST_AFTER <= now


def _turns() -> Select[Turn]:
    return select(Turn).options(selectinload(Turn.conversation), selectinload(Turn.actions))
