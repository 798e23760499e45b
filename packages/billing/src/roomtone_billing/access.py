"""What an account may do now: a pure fold of trial, snapshot, policy and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypedDict, assert_never

from .plans import Catalogue, Interval
from .snapshot import Pause, Snapshot, Status, Subscription

# How long after a period's end Stripe's news may take before we go and ask.
NEWS_DELAY = timedelta(hours=1)


class Phase(StrEnum):
    """What an account's plan lets it do; the later, the stricter."""

    none = "none"
    trialing = "trialing"
    active = "active"
    grace = "grace"
    read_only = "read_only"
    suspended = "suspended"


@dataclass(frozen=True, kw_only=True)
class GracePolicy:
    """How long an account that owes money, or whose plan ended, keeps what.

    Args:
        grace_days: full access, with a warning, from the first failed payment on; >= 0.
        read_only_days: reading only, after grace or after the end of a trial or subscription; then suspended; >= 0.
    """

    grace_days: int = 7
    read_only_days: int = 7

    def __post_init__(self) -> None:
        if self.grace_days < 0 or self.read_only_days < 0:
            raise ValueError("grace_days and read_only_days count from 0 upwards")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial Stripe knows nothing about."""

    plan_key: str
    interval: Interval
    started_at: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Access:
    """What an account may do, why, and until when.

    `since` and `until` bound the phase; `until` is None when only news can end it. `plan_key` is None when nothing was ever bought
    or the price is foreign to the catalogue. `card` reads `visa •••• 4242`.
    """

    account: str
    phase: Phase
    plan_key: str | None = None
    interval: Interval | None = None
    since: datetime | None = None
    until: datetime | None = None
    cancel_at: datetime | None = None
    is_subscribed: bool = False
    card: str | None = None

    @property
    def may_write(self) -> bool:
        """Whether the account may change anything."""
        return self.phase in {Phase.trialing, Phase.active, Phase.grace}

    @property
    def may_read(self) -> bool:
        """Whether the account may see anything."""
        return self.phase is not Phase.suspended


# What an account may do from each moment on, were nothing else to happen; of several timelines the strictest holds.
_Timeline = tuple[tuple[datetime, Phase], ...]
_STRICTNESS = tuple(Phase)


def decide(
    account: str, *, trial: Trial | None, snapshot: Snapshot | None, catalogue: Catalogue, policy: GracePolicy, now: datetime
) -> Access:
    """The access of an account at `now`. Once there is a subscription, the local trial counts no more."""
    main = snapshot.main() if snapshot else None
    if snapshot is None or main is None:
        timelines = [((min(trial.started_at, now), Phase.trialing), *_ended(trial.until, policy))] if trial else []
        return Access(
            account=account,
            plan_key=trial.plan_key if trial else None,
            interval=trial.interval if trial else None,
            card=snapshot.card if snapshot else None,
            **_stretch(timelines, now),
        )
    timelines = [_timeline(main, snapshot, policy, now)]
    has_lapsed = main.status is Status.canceled
    if main.cancel_at is not None and not has_lapsed:
        timelines.append(_ended(main.cancel_at, policy))
        has_lapsed = main.cancel_at <= now
    if main.ended_unpaid:
        # Stripe giving up must not buy more time than not paying would have.
        timelines.append(_owing(snapshot.owing_since(main), policy))
    stretch = _stretch(timelines, now)
    if main.status is Status.trialing and stretch["until"] is None and main.trial_end is not None and main.trial_end > now:
        stretch["until"] = main.trial_end
    return Access(
        account=account,
        plan_key=catalogue.identify(plan=main.price.plan, lookup_key=main.price.lookup_key),
        interval=main.price.interval,
        cancel_at=None if has_lapsed else main.cancel_at,
        is_subscribed=not has_lapsed,
        card=snapshot.card,
        **stretch,
    )


def check_at(access: Access, snapshot: Snapshot | None, now: datetime) -> datetime | None:
    """When the account must be looked at again: the phase ends, or news of its next period is overdue."""
    moments = [access.until] if access.until else []
    main = snapshot.main() if snapshot else None
    if main is not None and access.is_subscribed:
        moments.append(max(main.period_end, now) + NEWS_DELAY)
    return min(moments, default=None)


class _Stretch(TypedDict):
    phase: Phase
    since: datetime | None
    until: datetime | None


def _stretch(timelines: list[_Timeline], now: datetime) -> _Stretch:
    """The phase that holds now, since when, and until when."""
    moments = sorted({at for timeline in timelines for at, _ in timeline})
    phase, since = _strictest(timelines, now), None
    for moment in moments:
        if moment <= now and _strictest(timelines, moment) is not phase:
            since = None
        elif moment <= now and since is None:
            since = moment
        elif moment > now and _strictest(timelines, moment) is not phase:
            return {"phase": phase, "since": since, "until": moment}
    return {"phase": phase, "since": since, "until": None}


def _strictest(timelines: list[_Timeline], at: datetime) -> Phase:
    begun = [phase for timeline in timelines for start, phase in timeline if start <= at]
    return max(begun, key=_STRICTNESS.index, default=Phase.none)


def _timeline(main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime) -> _Timeline:
    # A moment ahead of our clock has begun all the same: Stripe says so.
    match main.status:
        case Status.active:
            return ((min(main.created_at, now), Phase.active),)
        case Status.trialing:
            return ((min(main.created_at, now), Phase.trialing),)
        case Status.past_due | Status.unpaid:
            return _owing(min(snapshot.owing_since(main), now), policy)
        case Status.paused:
            return _paused(main, snapshot, policy, now)
        case Status.canceled:
            return _ended(min(main.ended_at or main.period_end, now), policy)
        case Status.incomplete | Status.incomplete_expired:
            raise AssertionError("Snapshot.main leaves these out")
        case _:
            assert_never(main.status)


def _paused(main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime) -> _Timeline:
    paused_at = min(main.paused_at or main.period_start, now)
    match main.pause:
        case Pause.requested:
            return ((paused_at, Phase.read_only),)
        case Pause.trial_without_card:
            return _ended(min(main.trial_end or paused_at, now), policy)
        case Pause.first_payment | Pause.final_payment | Pause.system | None:
            return _owing(min(snapshot.owing_since(main), now), policy)
        case _:
            assert_never(main.pause)


def _owing(since: datetime, policy: GracePolicy) -> _Timeline:
    return ((since, Phase.grace), *_ended(since + timedelta(days=policy.grace_days), policy))


def _ended(at: datetime, policy: GracePolicy) -> _Timeline:
    return (at, Phase.read_only), (at + timedelta(days=policy.read_only_days), Phase.suspended)
