"""Writing turns down: begun before the model is asked, finished or failed after it, charged last. Each call is one short transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from roomtone_ai_credits import Usage
from studio.assistant.errors import Busy
from studio.assistant.exchange import Exchange, Reply
from studio.assistant.models import Action, Conversation, Turn
from studio.assistant.rules import HISTORY_TURNS, PROPOSAL_TTL, TURN_LOST_AFTER, ActionState, TurnState, fingerprint, title_of
from studio.contexts.scheduling.tools import BookingProposal
from studio.errors import NotFound

PROPOSAL = TypeAdapter(BookingProposal)
SHOWN = frozenset({"room_name", "sentence"})  # of a proposal: what only the card needs
UNSETTLED_MAX = 20


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A turn that was written down.

    Attributes:
        is_new: false for a form that was sent twice: its turn goes on elsewhere, or is over.
    """

    public_id: str
    is_new: bool
    history: tuple[Exchange, ...]


@dataclass(frozen=True, kw_only=True)
class Unsettled:
    """An answered turn whose process died before it was charged."""

    public_id: str
    hold_id: str
    usage: Usage


def begin(db: Session, *, user_id: str, key: str, question: str, conversation: str | None, model: str, now: datetime) -> Begun:
    """Write a question down, once per key, in the person's thread or a new one.

    Raises:
        NotFound: the thread, or the turn with this key, is somebody else's.
        Busy: another question of theirs is still being answered.

    Effects:
        Locks the person's turns until the transaction ends, so that two questions sent at once queue here.
    """
    db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"assistant:{user_id}", 0))))
    if known := db.scalar(select(Turn).where(Turn.key == key)):
        if known.user_id != user_id:
            raise NotFound("There is no such question.")
        return Begun(public_id=known.public_id, is_new=False, history=())
    _bury_lost(db, user_id, now)
    if db.scalar(select(Turn.id).where(Turn.user_id == user_id, Turn.state == TurnState.running).limit(1)):
        raise Busy
    thread = _thread(db, user_id, conversation, question)
    history = _history(db, thread)
    row = Turn(
        conversation_id=thread.id,
        user_id=user_id,
        key=key,
        state=TurnState.running,
        question=question,
        answer="",
        model=model,
        asked_at=now,
    )
    thread.updated_at = now
    db.add(row)
    db.flush()
    return Begun(public_id=row.public_id, is_new=True, history=history)


def finish(db: Session, public_id: str, reply: Reply, proposals: Sequence[BookingProposal], *, hold_id: str, now: datetime) -> None:
    """Write an answer down with its proposals, and what is to be charged for it."""
    row = _running(db, public_id)
    row.state, row.answer, row.finished_at = TurnState.answered, reply.text, now
    row.hold_id, row.usage = hold_id, reply.usage.counts()
    db.add_all(_action(row, proposal, now + PROPOSAL_TTL) for proposal in proposals)
    db.flush()


def fail(db: Session, public_id: str, sentence: str, *, now: datetime) -> None:
    """Write down why there is no answer. One that is there already stays."""
    failed = update(Turn).where(Turn.public_id == public_id, Turn.state == TurnState.running)
    db.execute(failed.values(state=TurnState.failed, answer=sentence, finished_at=now))


def note_charge(db: Session, public_id: str, charged_micro: int) -> None:
    """Write down what a turn cost."""
    db.execute(update(Turn).where(Turn.public_id == public_id).values(charged_micro=charged_micro))


def unsettled(db: Session) -> list[Unsettled]:
    """Answered turns that were not charged yet, oldest first, at most `UNSETTLED_MAX`."""
    query = select(Turn).where(Turn.state == TurnState.answered, Turn.charged_micro.is_(None)).order_by(Turn.id).limit(UNSETTLED_MAX)
    return [
        Unsettled(public_id=row.public_id, hold_id=row.hold_id, usage=Usage(**row.usage))
        for row in db.scalars(query)
        if row.hold_id is not None and row.usage is not None
    ]


def _action(turn: Turn, proposal: BookingProposal, expires_at: datetime) -> Action:
    facts = PROPOSAL.dump_python(proposal, mode="json")
    preview = {name: facts.pop(name) for name in SHOWN}
    return Action(
        turn_id=turn.id,
        user_id=turn.user_id,
        kind="booking",
        arguments=facts,
        preview=preview,
        key=fingerprint(kind="booking", arguments=facts, preview=preview, user_id=turn.user_id, expires_at=expires_at),
        state=ActionState.proposed,
        expires_at=expires_at,
    )


def _thread(db: Session, user_id: str, public_id: str | None, question: str) -> Conversation:
    if public_id is None:
        row = Conversation(user_id=user_id, title=title_of(question))
        db.add(row)
        db.flush()
        return row
    found = db.scalar(select(Conversation).where(Conversation.public_id == public_id, Conversation.user_id == user_id))
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


def _history(db: Session, thread: Conversation) -> tuple[Exchange, ...]:
    answered = select(Turn).where(Turn.conversation_id == thread.id, Turn.state == TurnState.answered)
    last = db.scalars(answered.order_by(Turn.id.desc()).limit(HISTORY_TURNS)).all()
    return tuple(Exchange(question=row.question, answer=row.answer) for row in reversed(last))


def _bury_lost(db: Session, user_id: str, now: datetime) -> None:
    lost = update(Turn).where(Turn.user_id == user_id, Turn.state == TurnState.running, Turn.asked_at <= now - TURN_LOST_AFTER)
    db.execute(lost.values(state=TurnState.failed, finished_at=now))


def _running(db: Session, public_id: str) -> Turn:
    row = db.scalar(select(Turn).where(Turn.public_id == public_id, Turn.state == TurnState.running).with_for_update())
    if row is None:
        raise NotFound("This question is no longer being answered.")
    return row
