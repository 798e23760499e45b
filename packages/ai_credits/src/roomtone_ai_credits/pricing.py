"""What a model call costs: usage in disjoint buckets, priced by a versioned rate card in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .amount import is_whole
from .errors import BadInput, UnknownModel

NANO_PER_MICRO = 1_000
MOST_TOKENS = 10_000_000_000

Nano = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]
Micro = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one or more calls used. The buckets are disjoint: a cached token is not an input token as well.

    Raises: BadInput for a count that is no integer in 0..MOST_TOKENS.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_read_tokens: int = 0
    cache_write_tokens: int = 0
    requests: int = 1

    def __post_init__(self) -> None:
        for name, count in self.counts().items():
            if not is_whole(count) or not 0 <= count <= MOST_TOKENS:
                raise BadInput(name, count, f"a whole number from 0 to {MOST_TOKENS}")

    def counts(self) -> dict[str, int]:
        """Return the buckets by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class ModelRate(BaseModel):
    """The price of the models whose name matches `pattern` (shell wildcards, case-sensitive).

    `request_micro` is micro-credits a request; the others are nano-credits a token (1 credit a thousand tokens = 1_000_000).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str = Field(min_length=1)
    request_micro: Micro = 0
    input_nano: Nano = 0
    output_nano: Nano = 0
    cached_read_nano: Nano = 0
    cache_write_nano: Nano = 0

    def cost(self, usage: Usage) -> int:
        """Return the price of `usage` in micro-credits, rounded up once at the end."""
        nano = (
            usage.input_tokens * self.input_nano
            + usage.output_tokens * self.output_nano
            + usage.cached_read_tokens * self.cached_read_nano
            + usage.cache_write_tokens * self.cache_write_nano
        )
        return usage.requests * self.request_micro - (-nano // NANO_PER_MICRO)


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
