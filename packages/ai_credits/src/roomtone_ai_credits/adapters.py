"""Reads what providers report of a call into buckets that do not overlap."""

from __future__ import annotations

from collections.abc import Mapping

from .amount import is_whole
from .errors import BadInput
from .usage import Usage


def read_usage(reported: object, *, images: int = 0) -> Usage | None:
    """Read a usage object, or its JSON, of pydantic-ai, OpenAI (chat and responses), Anthropic or Gemini.

    Providers differ in what they count twice: OpenAI and pydantic-ai count cached, audio and reasoning tokens among input and output
    too, Anthropic counts cached tokens apart, Gemini counts thoughts apart.

    Returns: None when nothing was reported, or nothing of some request of a run: settle that with None, as estimated. A report in which
        every count is 0 says nothing either: no call has an empty prompt.
    Raises: BadInput for what is none of these.
    """
    if reported is None:
        return None
    if _count(reported, "unmeasured_requests"):
        return None
    for mark, read in _READERS:
        if _has(reported, mark):
            usage = read(reported, images)
            return usage if any(count for name, count in usage.counts().items() if name not in {"requests", "images"}) else None
    raise BadInput("usage", type(reported).__name__, "what pydantic-ai, OpenAI, Anthropic or Gemini report")


def _of_pydantic_ai(reported: object, images: int) -> Usage:
    read, written = _count(reported, "cache_read_tokens"), _count(reported, "cache_write_tokens")
    sound = _rest(_count(reported, "input_audio_tokens"), _count(reported, "cache_audio_read_tokens"))
    spoken, thought = _count(reported, "output_audio_tokens"), _count(reported, "output_reasoning_tokens")
    return Usage(
        input_tokens=_rest(_count(reported, "input_tokens"), read, written, sound),
        cached_read_tokens=read,
        cache_write_tokens=written,
        audio_input_tokens=sound,
        output_tokens=_rest(_count(reported, "output_tokens"), spoken, thought),
        audio_output_tokens=spoken,
        reasoning_tokens=thought,
        images=images,
        requests=max(_count(reported, "requests"), 1),
    )


def _of_chat(reported: object, images: int) -> Usage:
    return _of_openai(reported, images, into="prompt_tokens", out="completion_tokens")


def _of_responses(reported: object, images: int) -> Usage:
    return _of_openai(reported, images, into="input_tokens", out="output_tokens")


def _of_openai(reported: object, images: int, *, into: str, out: str) -> Usage:
    entered, left = _get(reported, f"{into}_details"), _get(reported, f"{out}_details")
    read, written, sound = (_count(entered, name) for name in ("cached_tokens", "cache_write_tokens", "audio_tokens"))
    thought, spoken = _count(left, "reasoning_tokens"), _count(left, "audio_tokens")
    return Usage(
        input_tokens=_rest(_count(reported, into), read, written, sound),
        cached_read_tokens=read,
        cache_write_tokens=written,
        audio_input_tokens=sound,
        output_tokens=_rest(_count(reported, out), thought, spoken),
        reasoning_tokens=thought,
        audio_output_tokens=spoken,
        images=images,
    )


def _of_anthropic(reported: object, images: int) -> Usage:
    thought = _count(_get(reported, "output_tokens_details"), "thinking_tokens")
    return Usage(
        input_tokens=_count(reported, "input_tokens"),
        cached_read_tokens=_count(reported, "cache_read_input_tokens"),
        cache_write_tokens=_count(reported, "cache_creation_input_tokens"),
        output_tokens=_rest(_count(reported, "output_tokens"), thought),
        reasoning_tokens=thought,
        images=images,
    )


def _of_gemini(reported: object, images: int) -> Usage:
    read = _count(reported, "cached_content_token_count")
    entered = _count(reported, "prompt_token_count") + _count(reported, "tool_use_prompt_token_count")
    return Usage(
        input_tokens=_rest(entered, read),
        cached_read_tokens=read,
        output_tokens=_count(reported, "candidates_token_count"),
        reasoning_tokens=_count(reported, "thoughts_token_count"),
        images=images,
    )


# The first field that a report has says whose it is.
_READERS = (
    ("prompt_tokens", _of_chat),
    ("cache_read_input_tokens", _of_anthropic),
    ("cache_creation_input_tokens", _of_anthropic),
    ("input_tokens_details", _of_responses),
    ("prompt_token_count", _of_gemini),
    ("cache_read_tokens", _of_pydantic_ai),
    ("requests", _of_pydantic_ai),
    ("input_tokens", _of_anthropic),
)


def _has(reported: object, name: str) -> bool:
    return name in reported if isinstance(reported, Mapping) else hasattr(reported, name)


def _get(reported: object, name: str) -> object:
    return reported.get(name) if isinstance(reported, Mapping) else getattr(reported, name, None)


def _count(reported: object, name: str) -> int:
    """A count; what is left out is 0. Raises: BadInput for what is no count."""
    value = _get(reported, name) if reported is not None else None
    if value is None:
        return 0
    if not is_whole(value) or not isinstance(value, int) or value < 0:
        raise BadInput(name, value, "a whole number of at least 0")
    return value


def _rest(total: int, *parts: int) -> int:
    """What is left of a total; not below 0, should a provider count its parts otherwise."""
    return max(total - sum(parts), 0)
