"""The model that serves without a provider: deterministic, bilingual, and on the same terms as any other.

It sees the same instructions, calls the same tools through the same protocol, and says nothing but what their results say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, assert_never

from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from studio.assistant.intents import Checking, Finding, Intent, Listing, Missing, Wanting, language, understand
from studio.assistant.moments import wall
from studio.assistant.phrases import Phrases, phrases
from studio.assistant.rates import OFFLINE_MODEL

_NOW = re.compile(r"^Now: (\S+)$", re.MULTILINE)
_LOCALE = re.compile(r"^Language: (\S+)$", re.MULTILINE)


def offline_model() -> FunctionModel:
    """The model. It needs no network and keeps nothing."""
    return FunctionModel(_respond, model_name=OFFLINE_MODEL)


async def _respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    question, today, locale = _question(messages), *_facts(info.instructions or "")
    say = phrases(language(question, locale))
    intent = understand(question, today)
    returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if returned:
        return _text(_answer(say, intent, returned[-1]))
    if intent is None:
        return _text(say.abilities())
    if isinstance(intent, Missing):
        return _text(say.missing(intent.what))
    return ModelResponse(parts=[_call(intent)])


def _question(messages: Sequence[ModelMessage]) -> str:
    # The framework speaks through subclasses of the part, to warn of text that looks like an instruction: the person does not.
    prompts = [part.content for message in messages for part in message.parts if type(part) is UserPromptPart]
    return str(prompts[-1])


def _facts(instructions: str) -> tuple[date, str]:
    now, locale = _NOW.search(instructions), _LOCALE.search(instructions)
    assert now is not None
    assert locale is not None
    return datetime.fromisoformat(now[1]).date(), locale[1]


def _call(intent: Listing | Checking | Finding | Wanting) -> ToolCallPart:
    match intent:
        case Listing(days=days, room=room):
            return ToolCallPart("list_bookings", {"starts_at": wall(days.first, 0), "ends_at": wall(days.last, 0), "room": room})
        case Finding(minutes=minutes, days=days, room=room):
            within = {"starts_at": wall(days.first, 0), "ends_at": wall(days.last, 0)}
            return ToolCallPart("find_free_slots", {"minutes": minutes, "room": room, **within})
        case Checking(room=room, day=day, hours=hours):
            return ToolCallPart(
                "price_booking", {"room": room, "starts_at": wall(day, hours.from_minute), "ends_at": wall(day, hours.to_minute)}
            )
        case Wanting(room=room, day=day, hours=hours, client=client):
            when = {"starts_at": wall(day, hours.from_minute), "ends_at": wall(day, hours.to_minute)}
            return ToolCallPart("propose_booking", {"room": room, "client": client, **when})
        case _:
            assert_never(intent)


def _answer(say: Phrases, intent: Intent, returned: ToolReturnPart) -> str:
    result = returned.content
    if returned.outcome != "success" or not isinstance(result, dict):
        return say.missing("day")  # of what it was given, only times can be out of a tool's range
    return str(result["refused"]) if "refused" in result else _told(say, intent, result)


def _told(say: Phrases, intent: Intent, result: dict[str, Any]) -> str:  # Any: JSON
    match intent:
        case Listing(days=days, room=room):
            return say.listed(result["bookings"], days, room, more=result["there_may_be_more"])
        case Finding(minutes=minutes, days=days):
            return say.found(result["slots"], minutes, days)
        case Checking():
            return say.checked(result)
        case Wanting():
            return say.proposed(result)
        case _:
            return say.abilities()


def _text(words: str) -> ModelResponse:
    return ModelResponse(parts=[TextPart(words)])
