"""The assistant's panel and page, turns, and decisions on what it proposed. Fragments for htmx; without it, redirects to the page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from roomtone_ai_credits import Balance
from studio.assistant import actions, queries, service
from studio.assistant.forms import TurnForm
from studio.assistant.queries import ActionView, TurnView
from studio.assistant.rates import OFFLINE_MODEL
from studio.assistant.service import Asker, Office
from studio.db import new_public_id
from studio.errors import Refused
from studio.platform.throttle import ASSISTANT_BY_USER, count_attempt
from studio.web.access import staff_only
from studio.web.page import credit_amount, studio_zone
from studio.web.request import actor, control_db, current_studio, services, studio_db

if TYPE_CHECKING:
    from pydantic_ai.models import Model

blueprint = Blueprint("assistant", __name__, template_folder="templates", url_prefix="/app/assistant")


@blueprint.get("")
@staff_only
def page() -> str:
    """The person's threads, and one of them whole: `?thread=` names it, else the last one; `?thread=new` begins one."""
    with studio_db() as db:
        threads, thread, turns = _thread(db)
    return render_template("assistant/page.html", threads=threads, thread=thread, turns=turns, **_frame())


@blueprint.get("/panel")
@staff_only
def panel() -> str:
    """The panel beside any page: the last thread, or the one that `?thread=` names."""
    with studio_db() as db:
        _threads, thread, turns = _thread(db)
    return render_template("assistant/panel.html", thread=thread, turns=turns, **_frame())


@blueprint.post("/turns")
@staff_only
def ask() -> BaseResponse:
    """Answer a question."""
    with control_db() as db:
        count_attempt(db, ASSISTANT_BY_USER, "assistant", actor().user_id)
    form = TurnForm()
    if not form.validate():
        abort(400)
    asker = Asker(user_id=actor().user_id, locale=get_locale().language)
    turn = service.ask(
        _office(), asker, key=str(form.key.data), question=form.question.data or "", conversation=form.conversation.data or None
    )
    return _turn_response(turn)


@blueprint.get("/turns/<public_id>")
@staff_only
def turn(public_id: str) -> BaseResponse:
    """A turn again: a question whose form was sent twice waits for its answer here."""
    with studio_db() as db:
        found = queries.turn(db, actor().user_id, public_id, now=_now())
    return _turn_response(found)


@blueprint.post("/actions/<public_id>/confirmation")
@staff_only
def confirm(public_id: str) -> BaseResponse:
    """Do what was proposed; a refusal is shown on the card, which stays open."""
    who, refusal = actor().user_id, None
    try:
        with studio_db() as db:
            decided = actions.confirm(db, public_id, user_id=who, key=request.form.get("key", ""), now=_now())
    except Refused as error:
        refusal = str(error)
        with studio_db() as db:
            decided = actions.show(db, public_id, user_id=who, now=_now())
    return _action_response(decided, refusal)


@blueprint.post("/actions/<public_id>/rejection")
@staff_only
def reject(public_id: str) -> BaseResponse:
    """Put a proposal away."""
    with studio_db() as db:
        decided = actions.reject(db, public_id, user_id=actor().user_id, key=request.form.get("key", ""), now=_now())
    return _action_response(decided, None)


def _thread(db: Session) -> tuple[list[queries.ConversationView], str | None, list[TurnView]]:
    who, asked = actor().user_id, request.args.get("thread")
    threads = queries.conversations(db, who)
    chosen = asked or (threads[0].public_id if threads else "new")
    if chosen == "new":
        return threads, None, []
    return threads, chosen, queries.turns(db, who, chosen, now=_now())


def _frame() -> dict[str, object]:
    """What the composer shows: a fresh key, and what is left."""
    return {"key": new_public_id(), "balance": _balance(), "is_offline": services().settings.ai_model is None}


def _balance() -> Balance:
    return services().credits.balance(current_studio().key)


def _office() -> Office:
    here, parts = current_studio(), services()
    name = parts.settings.ai_model or OFFLINE_MODEL
    return Office(
        account=here.key,
        studio=here.name,
        timezone=studio_zone().key,
        credits=parts.credits,
        open_db=studio_db,
        model_name=name,
        make_model=partial(_make_model, name),
        clock=_now,
    )


def _make_model(name: str) -> Model:
    from studio.assistant import model  # late, as in `service`

    return model.make_model(name)


def _turn_response(turn: TurnView) -> BaseResponse:
    if "HX-Request" not in request.headers:
        return redirect(url_for("assistant.page", thread=turn.conversation))
    response = make_response(render_template("assistant/answered.html", turn=turn, thread=turn.conversation, **_frame()))
    response.headers["HX-Trigger"] = json.dumps({"credits:changed": {"text": credit_amount(max(_balance().available, 0))}})
    return response


def _action_response(action: ActionView, refusal: str | None) -> BaseResponse:
    if "HX-Request" not in request.headers:
        return redirect(url_for("assistant.page"))
    response: Response = make_response(render_template("assistant/decided.html", action=action, refusal=refusal))
    if action.state == "confirmed":
        response.headers["HX-Trigger"] = json.dumps({"calendar:refresh": {}})
    return response


def _now() -> datetime:
    """The time bookings go by; credits go by the clock they were given."""
    return datetime.now(UTC)
