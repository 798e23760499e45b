"""Metering one model call: hold before it, watch it while it streams, settle after it, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from types import TracebackType

from .errors import InsufficientCredits
from .holds import Hold, HoldState, Settlement
from .usage import Usage


class OnFailure(StrEnum):
    """What a call costs that ends by an exception before it was settled."""

    release = "release"
    """Nothing: the hold is released."""
    prompt = "prompt"
    """What was observed, or else what went in of what was estimated: the provider has read it."""
    observed = "observed"
    """What `observe` was told last; nothing when it was told nothing."""
    estimate = "estimate"
    """What was observed, or else what was estimated."""


# What says that nobody waits for the answer any more, not that the call failed.
CANCELLED = (GeneratorExit, asyncio.CancelledError, KeyboardInterrupt, TimeoutError)


class Watch:
    """What is known of a call under way. Pure: it says what to do, the meters do it."""

    def __init__(self, on_failure: OnFailure, on_cancel: OnFailure) -> None:
        self._on_failure, self._on_cancel = OnFailure(on_failure), OnFailure(on_cancel)
        self.observed: Usage | None = None
        self.was_settled = False

    def wanted(self, hold: Hold, usage: Usage) -> list[int]:
        """Note what has been used so far; return the amounts to grow the hold to, one after the other until one is granted."""
        self.observed = usage
        cost = hold.rate.cost(usage)
        # A quarter more than is needed, so that a long stream grows its hold a few times and not with every chunk.
        return [] if cost <= hold.amount else [cost + cost // 4, cost]

    def to_charge(self, hold: Hold, problem: BaseException | None) -> tuple[bool, Usage | None]:
        """Tell whether to settle at the end of the block, and for what; None is a usage nobody reported."""
        if problem is None:
            return True, self.observed
        policy = self._on_cancel if isinstance(problem, CANCELLED) else self._on_failure
        if policy is OnFailure.prompt:
            return True, self.observed or replace(hold.estimate, output_tokens=0, reasoning_tokens=0, audio_output_tokens=0)
        return policy is OnFailure.estimate or (policy is OnFailure.observed and self.observed is not None), self.observed

    def is_over(self, hold: Hold) -> bool:
        """Whether nothing is left to do at the end of the block."""
        return self.was_settled or hold.state is HoldState.settled


class Meter:
    """The context manager `AiCredits.meter` returns. It holds on entry; no transaction is open while the block runs.

    A block left without `settle` is charged as observed, or else as estimated; if it raised, as `on_failure` or `on_cancel` says.
    A `settle` that failed (the database was away) leaves the hold to be settled later by its id: releasing it would give delivered
    work away.
    """

    def __init__(
        self,
        *,
        take: Callable[[], Hold],
        settle: Callable[[str, Usage | None], Settlement],
        release: Callable[[str], Hold],
        grow: Callable[[str, int], Hold],
        on_failure: OnFailure = OnFailure.release,
        on_cancel: OnFailure = OnFailure.prompt,
    ) -> None:
        self._take, self._settle, self._release, self._grow = take, settle, release, grow
        self._watch = Watch(on_failure, on_cancel)
        self._hold: Hold | None = None
        self.charged: int | None = None
        """Micro-credits charged; None until settled."""

    @property
    def hold(self) -> Hold:
        """The hold behind this call. Its id settles it later, from anywhere."""
        assert self._hold is not None, "the meter's block has not been entered"
        return self._hold

    def observe(self, usage: Usage) -> bool:
        """Tell what has been used so far, all in all; returns whether the call may go on.

        Costs nothing while the hold covers it. Beyond that the hold grows in steps, by a short transaction each; when there is no more
        credit the answer is False: stop the stream and settle. Nothing is lost by going on, but it becomes debt.
        """
        wanted = self._watch.wanted(self.hold, usage)
        for amount in wanted:
            try:
                self._hold = self._grow(self.hold.id, amount)
            except InsufficientCredits:
                continue
            return True
        return not wanted

    def settle(self, usage: Usage | None) -> Settlement:
        """Charge what was used; None when the provider reported nothing. Never refused; a second call answers as the first did."""
        self._watch.was_settled = True
        settlement = self._settle(self.hold.id, usage)
        self.charged = settlement.charged
        return settlement

    def __enter__(self) -> Meter:
        self._hold = self._take()
        self.charged = self._hold.charged
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        if self._watch.is_over(self.hold):
            return
        is_charged, usage = self._watch.to_charge(self.hold, problem)
        if is_charged:
            self.settle(usage)
        else:
            self._release(self.hold.id)
