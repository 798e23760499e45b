"""Metering one model call: hold before it, settle after it, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from .holds import Hold, HoldState, Settlement
from .usage import Usage


class Meter:
    """The context manager `AiCredits.meter` returns. It holds on entry; no transaction is open while the block runs.

    A block left without `settle` is charged as estimated, or released if it raised. A `settle` that failed (the database was away)
    leaves the hold to be settled later by its id: releasing it would give delivered work away.
    """

    def __init__(self, *, take: Callable[[], Hold], settle: Callable[[str, Usage], Settlement], release: Callable[[str], Hold]) -> None:
        self._take, self._settle, self._release = take, settle, release
        self._hold: Hold | None = None
        self._was_used = False
        self.charged: int | None = None
        """Micro-credits charged; None until settled."""

    @property
    def hold(self) -> Hold:
        """The hold behind this call. Its id settles it later, from anywhere."""
        assert self._hold is not None, "the meter's block has not been entered"
        return self._hold

    def settle(self, usage: Usage) -> Settlement:
        """Charge what was used. Never refused for money; a second call answers as the first did."""
        self._was_used = True
        settlement = self._settle(self.hold.id, usage)
        self.charged = settlement.charged
        return settlement

    def __enter__(self) -> Meter:
        self._hold = self._take()
        self.charged = self._hold.charged
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        if self._was_used or self.hold.state is HoldState.settled:
            return
        if kind is None:
            self.settle(self.hold.estimate)
        else:
            self._release(self.hold.id)
