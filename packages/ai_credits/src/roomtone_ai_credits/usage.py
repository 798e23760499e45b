"""What a model call used, counted in buckets that do not overlap."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter

from .amount import is_whole
from .errors import BadInput

MOST_TOKENS = 10_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one or more calls used. A cached token is not an input token as well, nor a reasoning token an output token.

    Raises: BadInput for a count that is no integer in 0..MOST_TOKENS.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    images: int = 0
    requests: int = 1

    def __post_init__(self) -> None:
        for name in BUCKETS:
            count = getattr(self, name)
            if not is_whole(count) or not 0 <= count <= MOST_TOKENS:
                raise BadInput(name, count, f"a whole number from 0 to {MOST_TOKENS}")

    def counts(self) -> dict[str, int]:
        """Return the buckets by name."""
        return {name: getattr(self, name) for name in BUCKETS}

    def used(self) -> dict[str, int]:
        """Return the buckets that are not 0, and `requests`: what is worth keeping."""
        return {name: count for name, count in zip(BUCKETS, _COUNTS(self), strict=True) if count or name == "requests"}

    @property
    def prompt_tokens(self) -> int:
        """All tokens that went in, cached ones too: what providers measure their price steps by."""
        return self.input_tokens + self.cached_read_tokens + self.cache_write_tokens + self.audio_input_tokens


BUCKETS = tuple(field.name for field in fields(Usage))
_COUNTS = attrgetter(*BUCKETS)
