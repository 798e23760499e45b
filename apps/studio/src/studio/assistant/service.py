"""A turn: written down, held for, answered, written down again, charged. No transaction is open while the model thinks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from babel.dates import format_date
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from roomtone_ai_credits import AiCredits
from roomtone_ai_credits.errors import InsufficientCredits, TooManyHolds, UnknownHold, UnknownModel
from studio.assistant import conversations, queries
from studio.assistant.conversations import Begun
from studio.assistant.errors import ModelFailed
from studio.assistant.queries import TurnView
from studio.assistant.rates import choose_budget, estimate
from studio.assistant.rules import QUESTION_LENGTH_MAX, clean
from studio.errors import BadInput

if TYPE_CHECKING:
    from pydantic_ai.models import Model

FEATURE = "assistant"
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Office:
    """What turns of one studio work with.

    Attributes:
        account: the studio's account of credits.
        open_db: one transaction in the studio's database.
        model_name: what the rate card knows the model as.
        make_model: makes it; called once per turn.
    """

    account: str
    studio: str
    timezone: str
    credits: AiCredits
    open_db: Callable[[], AbstractContextManager[Session]]
    model_name: str
    make_model: Callable[[], Model]
    clock: Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks.

    Attributes:
        user_id: public id.
    """

    user_id: str
    locale: str


def ask(office: Office, asker: Asker, *, key: str, question: str, conversation: str | None = None) -> TurnView:
    """Answer a question. The same key again gives back the same turn, even while it is being answered, and charges nothing more.

    What goes wrong after it was written down is part of the turn, which then costs nothing: see its state and answer.

    Args:
        conversation: public id of the thread it goes on; None begins a new one.

    Raises:
        BadInput: there is no question, or it is too long.
        NotFound: the thread is somebody else's.
        Busy: another question of theirs is still being answered.
    """
    question = _checked(question)
    settle_left_over(office)
    with office.open_db() as db:
        begun = conversations.begin(
            db,
            user_id=asker.user_id,
            key=key,
            question=question,
            conversation=conversation,
            model=office.model_name,
            now=office.clock(),
        )
    if begun.is_new and (reason := _answer(office, asker, begun, question)):
        with office.open_db() as db:
            conversations.fail(db, begun.public_id, reason, now=office.clock())
    with office.open_db() as db:
        return queries.turn(db, asker.user_id, begun.public_id, now=office.clock())


def settle_left_over(office: Office) -> None:
    """Charge answered turns whose process died before it could. Their first settlement counts, however often this runs."""
    with office.open_db() as db:
        left = conversations.unsettled(db)
    for turn in left:
        try:
            charged = office.credits.settle(turn.hold_id, turn.usage).charged
        except UnknownHold:  # the ledger was put back to a time before this turn: nothing to charge, and no reason to stop answering
            log.error("assistant.unknown_hold", turn=turn.public_id)
            charged = 0
        with office.open_db() as db:
            conversations.note_charge(db, turn.public_id, charged)


def _answer(office: Office, asker: Asker, begun: Begun, question: str) -> str | None:
    """Answer and charge; returns the sentence that says why not, when nothing was answered and nothing charged."""
    try:
        _metered(office, asker, begun, question)
    except InsufficientCredits as refusal:
        return _no_credits(refusal, asker.locale)
    except TooManyHolds:
        return _("Too many questions are being answered in this studio. Ask again in a moment; nothing was charged.")
    except UnknownModel as error:
        log.error("assistant.unpriced", model=error.model)
        return _("The assistant is not set up: its model has no price. Tell your administrator; nothing was charged.")
    except ModelFailed as error:
        log.warning("assistant.failed", reason=error.reason, turn=begun.public_id)
        return _("I could not answer that. Nothing was charged; try again, perhaps in other words.")
    return None


def _metered(office: Office, asker: Asker, begun: Begun, question: str) -> None:
    from studio.assistant import model  # pydantic-ai takes a second to import: not at start-up; `server` does it beside
    from studio.assistant.tools import Desk

    budget = choose_budget(office.model_name, available=office.credits.balance(office.account).available)
    desk = Desk(open_db=office.open_db, now=office.clock(), studio=office.studio, timezone=office.timezone, locale=asker.locale)
    with office.credits.meter(
        office.account,
        model=office.model_name,
        estimate=estimate(budget),
        key=f"turn:{begun.public_id}",
        user=asker.user_id,
        feature=FEATURE,
    ) as call:
        reply = model.run(office.make_model(), desk, question=question, history=begun.history, budget=budget)
        with office.open_db() as db:  # before it is charged: a crash in between leaves a turn that `settle_left_over` finds
            conversations.finish(db, begun.public_id, reply, desk.proposals, hold_id=call.hold.id, now=office.clock())
        settled = call.settle(reply.usage)
    with office.open_db() as db:
        conversations.note_charge(db, begun.public_id, settled.charged)


def _no_credits(refusal: InsufficientCredits, locale: str) -> str:
    if refusal.next_grant_at is None:
        return _("No AI credits are left. A plan brings new ones with each paid month; everything else works as before.")
    day = format_date(refusal.next_grant_at, "long", locale=locale)
    return _("No AI credits are left. New ones come on %(day)s; everything else works as before.", day=day)


def _checked(question: str) -> str:
    if len(question) > QUESTION_LENGTH_MAX:
        raise BadInput("question", _("A question has at most %(count)s characters.", count=QUESTION_LENGTH_MAX))
    if words := clean(question, QUESTION_LENGTH_MAX):
        return words
    raise BadInput("question", _("Write a question."))
