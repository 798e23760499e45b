"""How fast Stripe is asked, so that nobody else's calls are refused."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Lets so many calls through in a second, evenly; for one thread.

    Args:
        calls_per_s: > 0; Stripe's own limits are 100 reads a second live and 25 in test mode.
        pause: waits so many seconds.
        timer: seconds that only grow.
    """

    def __init__(
        self, calls_per_s: float, *, pause: Callable[[float], object] = time.sleep, timer: Callable[[], float] = time.monotonic
    ) -> None:
        if calls_per_s <= 0:
            raise ValueError("calls_per_s counts from above 0")
        self._gap_s, self._pause, self._timer = 1 / calls_per_s, pause, timer
        self._next = 0.0
        self.calls = 0

    def wait(self, calls: int = 1) -> None:
        """Wait until the next call may be made, and count `calls` of them."""
        now = self._timer()
        if now < self._next:
            self._pause(self._next - now)
        self._next = max(now, self._next) + self._gap_s * calls
        self.calls += calls
