"""Time that moves only when a test says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock for `Tenancy(clock=...)`.

    Args:
        now: where it stands at first, with a zone; the real time when None.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self.now = self._start = now or datetime.now(UTC)

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self.now

    def advance(self, by: timedelta) -> datetime:
        """Move it on; returns the new time."""
        self.now += by
        return self.now

    def reset(self) -> None:
        """Put it back to where it stood at first."""
        self.now = self._start
