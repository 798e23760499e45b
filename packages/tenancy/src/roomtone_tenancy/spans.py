"""Where a piece of work begins and ends, for whoever traces; by default nobody does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

Fact = str | int | float | bool
F = TypeVar("F", bound=Callable[..., object])


class Span(Protocol):
    """A piece of work that has begun."""

    def note(self, *, tenant: str | None = None, **facts: Fact) -> None:
        """Add what is known by now."""


class Spans(Protocol):
    """Takes note of pieces of work, as `tracing.OpenTelemetrySpans` does."""

    def span(self, name: str, *, tenant: str | None = None, **facts: Fact) -> AbstractContextManager[Span]:
        """The `with` block is a piece of work; an error that leaves it is its own.

        Args:
            name: one of some dozens: neither tenants nor servers are in it.
        """

    def carried(self, function: F) -> F:
        """The function, for another thread: what it does is a part of what is open here and now."""


class NoSpan:
    """Nobody's."""

    def note(self, *, tenant: str | None = None, **facts: Fact) -> None:
        """Nothing."""


class NoSpans:
    """Nobody traces."""

    def span(self, name: str, *, tenant: str | None = None, **facts: Fact) -> AbstractContextManager[Span]:  # noqa: ARG002
        """Nothing."""
        return _NOTHING

    def carried(self, function: F) -> F:
        """The function as it is."""
        return function


_NOTHING = nullcontext(NoSpan())
OFF = NoSpans()
