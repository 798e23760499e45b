"""What an account may do now: a pure fold of trial, snapshot, policy and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from .plans import Catalogue, Interval
from .snapshot import Pause, Snapshot, Status, Subscription

# How long after a period's end Stripe's news may take before we go and ask.
NEWS_DELAY = timedelta(hours=1)


class Phase(StrEnum):
    """What an account's plan lets it do."""

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


@dataclass(frozen=True)
class _Stretch:
    phase: Phase
    since: datetime | None = None
    until: datetime | None = None


def decide(
    account: str, *, trial: Trial | None, snapshot: Snapshot | None, catalogue: Catalogue, policy: GracePolicy, now: datetime
) -> Access:
    """The access of an account at `now`. Once there is a subscription, the local trial counts no more."""
    main = snapshot.main() if snapshot else None
    if snapshot is None or main is None:
        stretch = _on_trial(trial, policy, now) if trial else _Stretch(Phase.none)
        return Access(
            account=account,
            phase=stretch.phase,
            plan_key=trial.plan_key if trial else None,
            interval=trial.interval if trial else None,
            since=stretch.since,
            until=stretch.until,
            card=snapshot.card if snapshot else None,
        )
    stretch = _on_subscription(main, snapshot, policy, now)
    has_lapsed = main.status is Status.canceled or (main.cancel_at is not None and main.cancel_at <= now)
    return Access(
        account=account,
        phase=stretch.phase,
        plan_key=catalogue.identify(plan=main.price.plan, lookup_key=main.price.lookup_key),
        interval=main.price.interval,
        since=stretch.since,
        until=stretch.until,
        cancel_at=None if has_lapsed else main.cancel_at,
        is_subscribed=not has_lapsed,
        card=snapshot.card,
    )


def check_at(access: Access, snapshot: Snapshot | None, now: datetime) -> datetime | None:
    """When the account must be looked at again: the phase ends, or news of its next period is overdue."""
    moments = [access.until] if access.until else []
    main = snapshot.main() if snapshot else None
    if main is not None and access.is_subscribed:
        moments.append(max(main.period_end, now) + NEWS_DELAY)
    return min(moments, default=None)


def _on_subscription(  # noqa: PLR0911 one return a status reads best
    main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime
) -> _Stretch:
    if main.status is not Status.canceled and main.cancel_at is not None and main.cancel_at <= now:
        return _ended(main.cancel_at, policy, now)
    match main.status:
        case Status.active:
            return _Stretch(Phase.active, main.created_at, main.cancel_at)
        case Status.trialing:
            return _Stretch(Phase.trialing, main.created_at, main.trial_end if main.trial_end and main.trial_end > now else None)
        case Status.past_due | Status.unpaid:
            return _owing(snapshot.owing_since(main), policy, now)
        case Status.paused:
            return _paused(main, snapshot, policy, now)
        case Status.canceled:
            return _canceled(main, snapshot, policy, now)
        case Status.incomplete | Status.incomplete_expired:
            return _Stretch(Phase.none)
        case _:
            assert_never(main.status)


def _on_trial(trial: Trial, policy: GracePolicy, now: datetime) -> _Stretch:
    if now < trial.until:
        return _Stretch(Phase.trialing, trial.started_at, trial.until)
    return _ended(trial.until, policy, now)


def _paused(main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime) -> _Stretch:
    paused_at = main.paused_at or main.period_start
    match main.pause:
        case Pause.requested:
            return _Stretch(Phase.read_only, paused_at)
        case Pause.trial_without_card:
            return _ended(main.trial_end or paused_at, policy, now)
        case Pause.first_payment | Pause.final_payment | Pause.system | None:
            return _owing(snapshot.owing_since(main), policy, now)
        case _:
            assert_never(main.pause)


def _owing(since: datetime, policy: GracePolicy, now: datetime) -> _Stretch:
    read_only_at = since + timedelta(days=policy.grace_days)
    suspended_at = read_only_at + timedelta(days=policy.read_only_days)
    if now < read_only_at:
        return _Stretch(Phase.grace, since, read_only_at)
    if now < suspended_at:
        return _Stretch(Phase.read_only, read_only_at, suspended_at)
    return _Stretch(Phase.suspended, suspended_at)


def _canceled(main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime) -> _Stretch:
    ended = _ended(main.ended_at or main.period_end, policy, now)
    if not main.ended_unpaid:
        return ended
    # Stripe giving up must not buy more time than not paying would have.
    owing = _owing(snapshot.owing_since(main), policy, now)
    return owing if owing.phase is Phase.suspended else ended


def _ended(at: datetime, policy: GracePolicy, now: datetime) -> _Stretch:
    suspended_at = at + timedelta(days=policy.read_only_days)
    if now < suspended_at:
        return _Stretch(Phase.read_only, at, suspended_at)
    return _Stretch(Phase.suspended, suspended_at)
