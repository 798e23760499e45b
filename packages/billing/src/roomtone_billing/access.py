"""What an account may do now: a pure fold of trial, snapshot, policy and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypedDict, assert_never

from .dispute import DisputeState
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
    ended = "ended"


class Cause(StrEnum):
    """Why an account may do less than it paid for, or would have to pay for."""

    trial_ended = "trial_ended"
    payment_failed = "payment_failed"
    payment_action = "payment_action"
    subscription_ended = "subscription_ended"
    paused = "paused"
    disputed = "disputed"
    host = "host"


@dataclass(frozen=True, kw_only=True)
class Suspension:
    """A suspension that no payment lifts: somebody decided it, and somebody has to lift it."""

    cause: Cause
    reason: str
    at: datetime


class OnDispute(StrEnum):
    """What an account keeps whose payment is taken back through the bank."""

    nothing = "nothing"  # of this it feels nothing; the host is told, and decides
    restrict = "restrict"  # it may read
    suspend = "suspend"


@dataclass(frozen=True, kw_only=True)
class GracePolicy:
    """How long an account that owes money, or whose plan ended, keeps what.

    Args:
        grace_days: full access, with a warning, from the first failed payment on; >= 0.
        read_only_days: reading only, after grace or after the end of a trial or subscription; then suspended; >= 0.
        suspended_days: suspended, with all data kept; then ended, when a host may delete it; >= 0; None: never ended.
        on_dispute: what follows from a payment in dispute, until it is decided; an inquiry of the bank counts for nothing.
        on_lost_dispute: what follows from a dispute that was lost, until it is forgiven.
    """

    grace_days: int = 7
    read_only_days: int = 7
    suspended_days: int | None = None
    on_dispute: OnDispute = OnDispute.nothing
    on_lost_dispute: OnDispute = OnDispute.nothing

    def __post_init__(self) -> None:
        if min(self.grace_days, self.read_only_days, self.suspended_days or 0) < 0:
            raise ValueError("grace_days, read_only_days and suspended_days count from 0 upwards")


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
    or the price is foreign to the catalogue. `card` reads `visa •••• 4242`. `cause` says why it is less than full access, `reason` is
    what was written down when somebody suspended it.
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
    cause: Cause | None = None
    reason: str | None = None

    @property
    def may_write(self) -> bool:
        """Whether the account may change anything."""
        return self.phase in {Phase.trialing, Phase.active, Phase.grace}

    @property
    def may_read(self) -> bool:
        """Whether the account may see anything."""
        return self.phase not in {Phase.suspended, Phase.ended}


# What an account may do from each moment on, were nothing else to happen; of several timelines the strictest holds.
_Timeline = tuple[tuple[datetime, Phase, Cause | None], ...]
_STRICTNESS = tuple(Phase)
_HELD = {OnDispute.nothing: None, OnDispute.restrict: Phase.read_only, OnDispute.suspend: Phase.suspended}


def decide(
    account: str,
    *,
    trial: Trial | None,
    snapshot: Snapshot | None,
    catalogue: Catalogue,
    policy: GracePolicy,
    now: datetime,
    suspension: Suspension | None = None,
) -> Access:
    """The access of an account at `now`. Once there is a subscription, the local trial counts no more; a suspension stands above both."""
    main = snapshot.main() if snapshot else None
    forced: list[_Timeline] = [((min(suspension.at, now), Phase.suspended, suspension.cause),)] if suspension else []
    forced += _disputed(snapshot, policy, now) if snapshot else []
    reason = suspension.reason if suspension else None
    if snapshot is None or main is None:
        timelines: list[_Timeline] = [*forced]
        if trial:
            timelines.append(((min(trial.started_at, now), Phase.trialing, None), *_ended(trial.until, policy, Cause.trial_ended)))
        return Access(
            account=account,
            plan_key=trial.plan_key if trial else None,
            interval=trial.interval if trial else None,
            card=snapshot.card if snapshot else None,
            reason=reason,
            **_stretch(timelines, now),
        )
    timelines = [*forced, _timeline(main, snapshot, policy, now)]
    has_lapsed = main.status is Status.canceled
    if main.cancel_at is not None and not has_lapsed:
        timelines.append(_ended(main.cancel_at, policy, Cause.subscription_ended))
        has_lapsed = main.cancel_at <= now
    if main.ended_unpaid:
        # Stripe giving up must not buy more time than not paying would have.
        timelines.append(_owing(main, snapshot, policy, now))
    if main.collection_paused_at is not None and not has_lapsed:
        timelines.append(((min(main.collection_paused_at, now), Phase.read_only, Cause.paused),))
    stretch = _stretch(timelines, now)
    if main.status is Status.trialing and stretch["until"] is None and main.trial_end is not None and main.trial_end > now:
        stretch["until"] = main.trial_end
    if stretch["cause"] is Cause.paused and stretch["until"] is None:
        stretch["until"] = main.collection_resumes_at
    return Access(
        account=account,
        plan_key=catalogue.identify(plan=main.price.plan, lookup_key=main.price.lookup_key),
        interval=main.price.interval,
        cancel_at=None if has_lapsed else main.cancel_at,
        is_subscribed=not has_lapsed,
        card=snapshot.card,
        reason=reason,
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
    cause: Cause | None


def _stretch(timelines: list[_Timeline], now: datetime) -> _Stretch:
    """The phase that holds now, since when, until when, and why."""
    moments = sorted({at for timeline in timelines for at, _, _ in timeline})
    (phase, cause), since = _strictest(timelines, now), None
    for moment in moments:
        if moment <= now and _strictest(timelines, moment)[0] is not phase:
            since = None
        elif moment <= now and since is None:
            since = moment
        elif moment > now and _strictest(timelines, moment)[0] is not phase:
            return {"phase": phase, "since": since, "until": moment, "cause": cause}
    return {"phase": phase, "since": since, "until": None, "cause": cause}


def _strictest(timelines: list[_Timeline], at: datetime) -> tuple[Phase, Cause | None]:
    begun = [(phase, cause) for timeline in timelines for start, phase, cause in timeline if start <= at]
    return max(begun, key=lambda one: _STRICTNESS.index(one[0]), default=(Phase.none, None))


def _timeline(main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime) -> _Timeline:
    # A moment ahead of our clock has begun all the same: Stripe says so.
    match main.status:
        case Status.active:
            return ((min(main.created_at, now), Phase.active, None),)
        case Status.trialing:
            return ((min(main.created_at, now), Phase.trialing, None),)
        case Status.past_due | Status.unpaid:
            return _owing(main, snapshot, policy, now)
        case Status.paused:
            return _paused(main, snapshot, policy, now)
        case Status.canceled:
            cause = Cause.payment_failed if main.ended_unpaid else Cause.subscription_ended
            return _ended(min(main.ended_at or main.period_end, now), policy, cause)
        case Status.incomplete | Status.incomplete_expired:
            raise AssertionError("Snapshot.main leaves these out")
        case _:
            assert_never(main.status)


def _paused(main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime) -> _Timeline:
    paused_at = min(main.paused_at or main.period_start, now)
    match main.pause:
        case Pause.requested:
            return ((paused_at, Phase.read_only, Cause.paused),)
        case Pause.trial_without_card:
            return _ended(min(main.trial_end or paused_at, now), policy, Cause.trial_ended)
        case Pause.first_payment | Pause.final_payment | Pause.system | None:
            return _owing(main, snapshot, policy, now)
        case _:
            assert_never(main.pause)


def _owing(main: Subscription, snapshot: Snapshot, policy: GracePolicy, now: datetime) -> _Timeline:
    since = min(snapshot.owing_since(main), now)
    latest = snapshot.latest_invoice(main)
    cause = Cause.payment_action if latest and latest.is_unpaid and latest.needs_action else Cause.payment_failed
    return ((since, Phase.grace, cause), *_ended(since + timedelta(days=policy.grace_days), policy, cause))


def _disputed(snapshot: Snapshot, policy: GracePolicy, now: datetime) -> list[_Timeline]:
    held = {DisputeState.open: _HELD[policy.on_dispute], DisputeState.lost: _HELD[policy.on_lost_dispute]}
    found = [(min(one.created_at, now), held.get(one.state)) for one in snapshot.disputes if one.forgiven_at is None]
    return [((at, phase, Cause.disputed),) for at, phase in found if phase is not None]


def _ended(at: datetime, policy: GracePolicy, cause: Cause) -> _Timeline:
    suspended_at = at + timedelta(days=policy.read_only_days)
    timeline: _Timeline = ((at, Phase.read_only, cause), (suspended_at, Phase.suspended, cause))
    if policy.suspended_days is None:
        return timeline
    return *timeline, (suspended_at + timedelta(days=policy.suspended_days), Phase.ended, cause)
