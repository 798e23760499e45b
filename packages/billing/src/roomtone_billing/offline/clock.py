"""The virtual clock: the host's clock plus an offset that only grows and is kept in the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from .store import Store

KEY = "clock"


def utc_now() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


class VirtualClock:
    """Time as the offline Stripe sees it.

    Args:
        real: the clock underneath; it may stand still in tests.
        store: keeps the offset (seconds), so that a restarted server does not fall back in time.
    """

    def __init__(self, real: Callable[[], datetime], store: Store) -> None:
        self._real = real
        self._store = store

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return self._real() + timedelta(seconds=self.offset_s)

    @property
    def offset_s(self) -> float:
        """How far the virtual time is ahead of the real one."""
        return float((self._store.find("counter", KEY) or {"value": 0})["value"])

    def move_to(self, moment: datetime) -> None:
        """Set the virtual time; never backwards."""
        ahead = (moment - self._real()).total_seconds()
        if ahead > self.offset_s:
            self._store.replace("counter", {"id": KEY, "value": ahead})
