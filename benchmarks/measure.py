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
        return f"{_short(self.median)} ms ({_short(self.low)}–{_short(self.high)})"

    @staticmethod
    def of(seconds: list[float]) -> Timing:
        """The timing of some runs, two at the least."""
        each = tuple(s * 1000 for s in seconds)
        low, median, high = statistics.quantiles(each, n=4, method="inclusive")
        return Timing(median=median, low=low, high=high, each=each)

    def ratio_to(self, other: Timing) -> float:
        """The median of the rounds' ratios: what slows the machine down for a round counts on both sides."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.each, other.each, strict=True))


def in_turns(ways: Mapping[str, Run], *, runs: int, warm_up: int = 1) -> dict[str, Timing]:
    """Time each way once per round, for some rounds; the first `warm_up` rounds do not count.

    Args:
        ways: each does its work once; a function that it returns cleans up after it and is not timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(warm_up + runs):
        for name, run in ways.items():
            began = time.perf_counter()
            clean_up = run()
            spent = time.perf_counter() - began
            if callable(clean_up):
                clean_up()
            if round_number >= warm_up:
                seconds[name].append(spent)
    return {name: Timing.of(spent) for name, spent in seconds.items()}


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


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.1f}" if milliseconds >= 10 else f"{milliseconds:.2f}"
