"""Which backups to keep: the latest, and the newest of each of the last days, weeks, months and years that have one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """Grandfather, father, son. Each counts periods in UTC that have a backup, so a pause in backups loses none of the old ones.

    Args:
        latest: this many of the newest, whenever they were made, >= 1.
        daily, weekly, monthly, yearly: how many periods each, >= 0.
    """

    latest: int = 5
    daily: int = 7
    weekly: int = 4
    monthly: int = 12
    yearly: int = 10

    def __post_init__(self) -> None:
        if self.latest < 1 or min(self.daily, self.weekly, self.monthly, self.yearly) < 0:
            raise ValueError("Retention counts periods: give numbers of 0 or more, and at least one of the latest.")


def kept(times: Iterable[datetime], retention: Retention) -> frozenset[datetime]:
    """Those of the given times whose backups stay."""
    newest_first = sorted(set(times), reverse=True)
    rules: tuple[tuple[int, Callable[[datetime], tuple[int, ...]]], ...] = (
        (retention.daily, lambda at: (at.year, at.month, at.day)),
        (retention.weekly, lambda at: tuple(at.isocalendar()[:2])),
        (retention.monthly, lambda at: (at.year, at.month)),
        (retention.yearly, lambda at: (at.year,)),
    )
    found = set(newest_first[: retention.latest])
    for count, period_of in rules:
        newest: dict[tuple[int, ...], datetime] = {}
        for at in newest_first:
            newest.setdefault(period_of(at.astimezone(UTC)), at)
        found.update(list(newest.values())[:count])
    return frozenset(found)
