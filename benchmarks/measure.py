"""Timing several ways of doing the same, in turns, so that a busy machine is unfair to all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

Run = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long something takes, in milliseconds.

    Attributes:
        low, high: the quartiles: half of all runs lie between them.
        each: every run that counts, in order.
    """

    median: float
    low: float
    high: float
    each: tuple[float, ...]

    def __str__(self) -> str:
        scale, unit = (1000, "µs") if self.median < 0.1 else (1, "ms")
        return f"{_short(self.median * scale)} {unit} ({_short(self.low * scale)}–{_short(self.high * scale)})"

    @staticmethod
    def of(seconds: list[float], *, times: int = 1) -> Timing:
        """The timing of some runs, two at the least, in each of which the work was done so many times."""
        each = tuple(s * 1000 / times for s in seconds)
        low, median, high = statistics.quantiles(each, n=4, method="inclusive")
        return Timing(median=median, low=low, high=high, each=each)

    def ratio_to(self, other: Timing) -> float:
        """The median of the rounds' ratios: what slows the machine down for a round counts on both sides."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.each, other.each, strict=True))

    def added_to(self, other: Timing) -> float:
        """The median of the rounds' differences, in milliseconds."""
        return statistics.median(mine - theirs for mine, theirs in zip(self.each, other.each, strict=True))


@dataclass(frozen=True, kw_only=True)
class Amount:
    """What was counted or weighed, not timed; `each` measurement counts alike."""

    each: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.each)

    def __str__(self) -> str:
        return (f"{self.median:,.0f} {self.unit}" if self.median >= 100 else f"{self.median:.3g} {self.unit}").strip()


def in_turns(ways: Mapping[str, Run], *, runs: int, warm_up: int = 1, times: int = 1) -> dict[str, Timing]:
    """Time each way once per round, for some rounds; the first `warm_up` rounds do not count.

    Args:
        ways: each does its work once; a function that it returns cleans up after it and is not timed.
        times: how often each does its work in a round, when one time is too short to be timed alone.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(warm_up + runs):
        for name, run in ways.items():
            began = time.perf_counter()
            for _ in range(times):
                clean_up = run()
            spent = time.perf_counter() - began
            if callable(clean_up):
                clean_up()
            if round_number >= warm_up:
                seconds[name].append(spent)
    return {name: Timing.of(spent, times=times) for name, spent in seconds.items()}


@contextmanager
def listening(target: Any, hooks: Mapping[str, Callable[..., None]]) -> Iterator[None]:  # Any: what SQLAlchemy takes events of
    """Hear SQLAlchemy's events for the length of the block."""
    for name, hook in hooks.items():
        event.listen(target, name, hook)
    try:
        yield
    finally:
        for name, hook in hooks.items():
            event.remove(target, name, hook)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
