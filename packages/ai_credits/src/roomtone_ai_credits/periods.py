"""Monthly periods: the n-th month from an anchor, clamped to the month's end, on the wall clock of a time zone."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """Credits an account gets each month under a named rule.

    Periods are half-open and counted from 0 at `anchor_at`; each is computed from the anchor, never from the one before,
    so that the 31st is clamped in February and back in March.
    """

    rule: str
    amount: int
    anchor_at: datetime
    timezone: str = "UTC"
    rollover_max: int = 0
    """The most unused credit of earlier months that may be alive at once; 0: none goes over."""
    rollover_percent: int = 100
    """How much of a month's unused credit goes over."""
    rollover_months: int = 1
    """For how many months it lives on."""
    ends_at: datetime | None = None
    """From when on nothing more is granted, and what was granted is dead; None: for ever."""
    next_period: int = 0
    """The first period whose grant is not booked."""
    granted: int = 0
    """Micro-credits given in the period before `next_period`, less what was taken back unused."""
    is_active: bool = True

    def starts_at(self, period: int) -> datetime:
        """Return when `period` begins, in UTC."""
        local = self.anchor_at.astimezone(ZoneInfo(self.timezone))
        years, month = divmod(local.month - 1 + period, 12)
        year, month = local.year + years, month + 1
        day = min(local.day, monthrange(year, month)[1])
        return local.replace(year=year, month=month, day=day).astimezone(UTC)

    def period_at(self, now: datetime) -> int:
        """Return the period `now` lies in; -1 before the anchor."""
        if now < self.anchor_at:
            return -1
        here, anchor = now.astimezone(ZoneInfo(self.timezone)), self.anchor_at.astimezone(ZoneInfo(self.timezone))
        # The months between the two calendars are the period or one more: the day of the month decides.
        period = (here.year - anchor.year) * 12 + here.month - anchor.month
        while self.starts_at(period) > now:
            period -= 1
        return period

    def expires_at(self, period: int) -> datetime:
        """Return when credit of `period` dies: with the period, or with the allowance."""
        end = self.starts_at(period + 1)
        return min(end, self.ends_at) if self.ends_at else end

    def is_over(self, now: datetime) -> bool:
        """Whether the allowance has ended by time."""
        return self.ends_at is not None and self.ends_at <= now

    def rolls(self, unused: int, *, alive: int) -> int:
        """How much of a month's unused credit goes over, when `alive` of earlier months still is."""
        return max(0, min(unused * self.rollover_percent // 100, self.rollover_max - alive))

    @property
    def next_at(self) -> datetime | None:
        """When the next grant falls due; None when no more will."""
        at = self.starts_at(self.next_period)
        return None if self.is_over(at) else at
