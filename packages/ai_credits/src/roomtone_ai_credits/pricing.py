"""Prices of model calls: a versioned rate card in whole nano-credits."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .errors import UnknownModel
from .usage import Usage

NANO_PER_MICRO = 1_000

Nano = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]
Micro = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]


class TokenPrices(BaseModel):
    """Nano-credits a token: 1 credit a thousand tokens is 1_000_000.

    Reasoning costs what output does unless it has a price of its own, and sound what text does: nothing is free by being forgotten.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_nano: Nano = 0
    output_nano: Nano = 0
    cached_read_nano: Nano = 0
    cache_write_nano: Nano = 0
    reasoning_nano: Nano | None = None
    audio_input_nano: Nano | None = None
    audio_output_nano: Nano | None = None

    def of_tokens(self, usage: Usage) -> int:
        """Return what the tokens of `usage` cost, in nano-credits."""
        nano = usage.input_tokens * self.input_nano + usage.output_tokens * self.output_nano
        nano += usage.cached_read_tokens * self.cached_read_nano + usage.cache_write_tokens * self.cache_write_nano
        nano += usage.reasoning_tokens * (self.output_nano if self.reasoning_nano is None else self.reasoning_nano)
        nano += usage.audio_input_tokens * (self.input_nano if self.audio_input_nano is None else self.audio_input_nano)
        return nano + usage.audio_output_tokens * (self.output_nano if self.audio_output_nano is None else self.audio_output_nano)


class Step(TokenPrices):
    """The prices of a whole request whose prompt has more than `above_tokens` tokens, cached ones counted."""

    above_tokens: int = Field(gt=0)


class ModelRate(TokenPrices):
    """The price of the models whose name matches `pattern` (shell wildcards, case-sensitive).

    `request_micro` is micro-credits a request, `image_micro` an image, and `minimum_micro` the least that any use costs.
    """

    pattern: str = Field(min_length=1)
    request_micro: Micro = 0
    image_micro: Micro = 0
    minimum_micro: Micro = 0
    steps: tuple[Step, ...] = ()

    def nano(self, usage: Usage) -> int:
        """Return the exact price of `usage` in nano-credits."""
        reached = [step for step in self.steps if usage.prompt_tokens > step.above_tokens] if self.steps else ()
        prices = max(reached, key=lambda step: step.above_tokens) if reached else self
        micro = usage.requests * self.request_micro + usage.images * self.image_micro
        return max(micro * NANO_PER_MICRO + prices.of_tokens(usage), self.minimum_micro * NANO_PER_MICRO)

    def cost(self, usage: Usage) -> int:
        """Return the price of `usage` in micro-credits, rounded up once: what a hold promises.

        A charge is never more: it takes the whole micro-credits, and the account carries the rest to its next charge.
        """
        return -(-self.nano(usage) // NANO_PER_MICRO)

    def affordable(self, prompt: Usage, *, available: int, most: int) -> int:
        """Return the largest number of output tokens up to `most` that `available` micro-credits pay for, after `prompt`; 0 if none."""
        low, high = 0, most
        # A call never costs less with more output, so halving finds it.
        while low < high:
            middle = (low + high + 1) // 2
            if self.cost(replace(prompt, output_tokens=middle)) <= available:
                low = middle
            else:
                high = middle - 1
        return low


class RateCard(BaseModel):
    """The prices in force under one version. The first pattern that matches wins.

    `unknown` prices every other model; set it to your dearest. Left None, unknown models are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field(min_length=1, max_length=100)
    models: tuple[ModelRate, ...] = ()
    unknown: ModelRate | None = None

    def rate(self, model: str) -> ModelRate:
        """Return the price of `model`. Raises: UnknownModel."""
        for rate in self.models:
            if fnmatchcase(model, rate.pattern):
                return rate
        if self.unknown is None:
            raise UnknownModel(model, self.version)
        return self.unknown

    def cost(self, model: str, usage: Usage) -> int:
        """Return what `usage` of `model` costs in micro-credits. Raises: UnknownModel."""
        return self.rate(model).cost(usage)
