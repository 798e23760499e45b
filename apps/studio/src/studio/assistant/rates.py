"""What a turn costs, and how much of a model it may use. Pure.

One credit pays a turn with the tokens of `INCLUDED`; tokens beyond it are charged as the provider does, at two US cents a credit.
A turn may use no more than its `Budget`, and that is what is held before it begins: it can never cost more than was held.
"""

from __future__ import annotations

from dataclasses import dataclass

from roomtone_ai_credits import CREDIT, ModelRate, RateCard, Usage

OFFLINE_MODEL = "offline-1"
TURN = CREDIT  # micro-credits a turn costs before any token beyond the included ones


def _provider(pattern: str, *, input_nano: int, output_nano: int) -> ModelRate:
    """The rate of a provider's models: reading the cache costs a tenth of an input token, writing it five quarters."""
    return ModelRate(
        pattern=pattern,
        request_micro=TURN,
        input_nano=input_nano,
        output_nano=output_nano,
        cached_read_nano=input_nano // 10,
        cache_write_nano=input_nano * 5 // 4,
    )


RATE_CARD = RateCard(
    version="2026-11",
    models=(
        ModelRate(pattern="offline-*", request_micro=TURN),
        _provider("anthropic:*haiku*", input_nano=50_000, output_nano=250_000),
        _provider("anthropic:*sonnet*", input_nano=150_000, output_nano=750_000),
        _provider("anthropic:*opus*", input_nano=750_000, output_nano=3_750_000),
        _provider("openai:gpt-*-nano*", input_nano=10_000, output_nano=40_000),
        _provider("openai:gpt-*-mini*", input_nano=40_000, output_nano=200_000),
        _provider("openai:gpt-*", input_nano=150_000, output_nano=750_000),
    ),
)
"""The prices in force. A model that no pattern matches is refused, never guessed."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many tokens one turn may use, all its requests together. Input counts cached tokens too."""

    input_tokens: int
    output_tokens: int


INCLUDED = Budget(input_tokens=12_000, output_tokens=1_000)
LARGEST = Budget(input_tokens=36_000, output_tokens=3_000)


def billable(*, input_tokens: int, cached_read_tokens: int, cache_write_tokens: int, output_tokens: int) -> Usage:
    """What is charged of a turn's tokens: one request, and what goes beyond `INCLUDED`, whose share covers the dearest tokens first.

    Args:
        input_tokens: without the cached ones, as in every argument: the four do not overlap.
    """
    free, extra = INCLUDED.input_tokens, {}
    for bucket, used in (
        ("cache_write_tokens", cache_write_tokens),
        ("input_tokens", input_tokens),
        ("cached_read_tokens", cached_read_tokens),
    ):
        extra[bucket] = max(used - free, 0)
        free = max(free - used, 0)
    return Usage(requests=1, output_tokens=max(output_tokens - INCLUDED.output_tokens, 0), **extra)


def estimate(budget: Budget) -> Usage:
    """The dearest that a turn within this budget can come to: every token beyond the included ones written to the cache."""
    return billable(input_tokens=0, cached_read_tokens=0, cache_write_tokens=budget.input_tokens, output_tokens=budget.output_tokens)


def choose_budget(model: str, *, available: int) -> Budget:
    """The largest budget that `available` micro-credits can pay for; the included one when they cannot.

    Raises:
        roomtone_ai_credits.errors.UnknownModel: the rate card has no price for it.
    """
    return LARGEST if RATE_CARD.cost(model, estimate(LARGEST)) <= available else INCLUDED
