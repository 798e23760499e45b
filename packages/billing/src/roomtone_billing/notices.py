"""When an account is told that it should do something: a pure schedule over the phase that holds now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .access import Access, Phase


@dataclass(frozen=True, kw_only=True)
class NoticePolicy:
    """On which days of a phase a notice is due. Of several that are due at once, as after an outage, only the last is given.

    Args:
        trial_days_left: days before a trial ends.
        grace_days, read_only_days, suspended_days, ended_days: days after the phase began; 0 is at once.
    """

    trial_days_left: tuple[int, ...] = (3,)
    grace_days: tuple[int, ...] = (0, 3, 6)
    read_only_days: tuple[int, ...] = (0,)
    suspended_days: tuple[int, ...] = (0,)
    ended_days: tuple[int, ...] = (0,)


def due(access: Access, policy: NoticePolicy, now: datetime) -> int | None:
    """The day of the newest notice that is due in this phase; None when none is. Of a trial the days left."""
    begun = [(at, day) for at, day in _moments(access, policy) if at <= now]
    return max(begun)[1] if begun else None


def next_at(access: Access, policy: NoticePolicy, now: datetime) -> datetime | None:
    """When the next notice of this phase falls due."""
    return min((at for at, _ in _moments(access, policy) if at > now), default=None)


def _moments(access: Access, policy: NoticePolicy) -> list[tuple[datetime, int]]:
    if access.phase is Phase.trialing:
        return [(access.until - timedelta(days=day), day) for day in policy.trial_days_left] if access.until else []
    days = {
        Phase.grace: policy.grace_days,
        Phase.read_only: policy.read_only_days,
        Phase.suspended: policy.suspended_days,
        Phase.ended: policy.ended_days,
    }.get(access.phase, ())
    if access.since is None:
        return []
    found = [(access.since + timedelta(days=day), day) for day in days]
    return [(at, day) for at, day in found if access.until is None or at < access.until]
