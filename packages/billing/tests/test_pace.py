"""The pace: never faster than asked for, and no slower than needed."""

from __future__ import annotations

import pytest

from roomtone_billing.pace import Pace


def test_calls_are_spread_evenly_and_counted():
    now = 100.0
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        nonlocal now
        pauses.append(round(seconds, 6))
        now += seconds

    pace = Pace(10, pause=pause, timer=lambda: now)
    pace.wait()
    pace.wait(3)
    pace.wait()
    now += 60
    pace.wait()

    assert (pauses, pace.calls) == ([0.1, 0.3], 6)


def test_no_calls_at_all_is_no_pace():
    with pytest.raises(ValueError, match="above 0"):
        Pace(0)
