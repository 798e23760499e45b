"""Limits inside one account: how much may be used by whom in which window, and the tallies that count it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from .copies import changed

ROLLING_SLOTS = 60
EACH = ""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Scope(StrEnum):
    """Whose use a limit counts, in the order in which limits are looked at."""

    account = "account"
    team = "team"
    user = "user"
    feature = "feature"
    key = "key"


class Window(StrEnum):
    """The stretch of time a limit is for. Days, weeks (from Monday) and months are the calendar's."""

    total = "total"
    day = "day"
    week = "week"
    month = "month"
    rolling = "rolling"


class Use(Protocol):
    """What is counted: a hold, or the note of a charge."""

    @property
    def user(self) -> str | None:
        """Who uses it."""

    @property
    def team(self) -> str | None:
        """The user's team."""

    @property
    def feature(self) -> str | None:
        """What it is used for."""

    @property
    def api_key(self) -> str | None:
        """The key it was asked with."""


def subjects(use: Use) -> dict[Scope, str]:
    """Return whose use it is, by scope; scopes that the use does not name are left out."""
    named = {Scope.account: EACH, Scope.team: use.team, Scope.user: use.user, Scope.feature: use.feature, Scope.key: use.api_key}
    return {scope: subject for scope, subject in named.items() if subject is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """At most `amount` micro-credits in each window, held credit counted. `subject` is EACH, or the one it is for.

    Of limits with the same name the one for a subject takes the place of the one for each.
    """

    name: str
    scope: Scope
    subject: str = EACH
    amount: int
    window: Window
    length_s: int = 0
    """The length of a rolling window, in seconds; 0 for the others."""
    timezone: str = "UTC"
    is_hard: bool = True
    """Whether more is refused; else an event tells of it."""
    is_active: bool = True

    @property
    def step(self) -> timedelta:
        """Rolling windows are counted in sixtieth parts, a part that is only half inside counts whole."""
        return timedelta(seconds=max(1, self.length_s // ROLLING_SLOTS))

    def slot(self, now: datetime) -> datetime:
        """Return under which instant a use at `now` is counted."""
        if self.window is Window.rolling:
            return _EPOCH + (now - _EPOCH) // self.step * self.step
        if self.window is Window.total:
            return _EPOCH
        return self._start(now.astimezone(ZoneInfo(self.timezone)))

    def counts(self, slot: datetime, now: datetime) -> bool:
        """Tell whether a use counted under `slot` is in the window that `now` is in."""
        if self.window is Window.rolling:
            return slot + self.step > now - timedelta(seconds=self.length_s)
        return slot >= self.slot(now)

    def resets_at(self, tally: Tally, now: datetime) -> datetime | None:
        """Return when something of the use comes free; None when nothing does."""
        if self.window is Window.total:
            return None
        if self.window is Window.rolling:
            slots = [at for at in map(datetime.fromisoformat, tally.spent) if self.counts(at, now)]
            return min(slots) + self.step + timedelta(seconds=self.length_s) if slots else None
        days = {Window.day: 1, Window.week: 7, Window.month: 31}[self.window]
        here = self.slot(now).astimezone(ZoneInfo(self.timezone))
        # Noon of a day of the next window: no clock is changed at noon.
        return self._start((here + timedelta(days=days)).replace(hour=12))

    def _start(self, local: datetime) -> datetime:
        day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.window is Window.week:
            day -= timedelta(days=day.weekday())
        elif self.window is Window.month:
            day = day.replace(day=1)
        return day.astimezone(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What is counted under the limits of one name for one subject. Amounts are micro-credits."""

    name: str
    subject: str
    held: int = 0
    """What open holds promise."""
    spent: Mapping[str, int] = field(default_factory=dict)
    """What was charged, by slot in ISO 8601."""
    before: int = 0
    """What was charged in slots that no window counts any more."""

    @property
    def key(self) -> str:
        """What holds and entries name it by."""
        return tally_key(self.name, self.subject)

    def spent_in(self, limit: Limit, now: datetime) -> int:
        """What was charged in the window that `now` is in."""
        return sum(amount for slot, amount in self.spent.items() if limit.counts(datetime.fromisoformat(slot), now))

    def left(self, limit: Limit, now: datetime) -> int:
        """What may still be used in the window that `now` is in; below 0 when more was."""
        return limit.amount - self.spent_in(limit, now) - self.held

    def charged(self, limit: Limit, now: datetime, amount: int) -> Tally:
        """Count a charge; what no window counts any more is put together."""
        slot = limit.slot(now).isoformat()
        spent = {**self.spent, slot: self.spent.get(slot, 0) + amount}
        kept = {at: part for at, part in spent.items() if at == slot or limit.counts(datetime.fromisoformat(at), now)}
        return changed(self, spent=kept, before=self.before + sum(spent.values()) - sum(kept.values()))


def tally_key(name: str, subject: str) -> str:
    """The key of the tally of a subject; a name has no colon."""
    return f"{name}:{subject}"
