"""Whether an account may use a feature, and why: a pure fold of stored facts, the catalogue and time.

The first of these that speaks decides:

1. suspension: an account that is read-only, suspended or ended uses nothing, whatever it was promised;
2. override: the newest living exception for the feature says how much there is;
3. trial, grace, plan: what the plan includes, under the name of the phase the account is in;
4. credit: what was granted on top, used after everything above is used up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from .access import Access, Phase, Suspension, Trial
from .counting_period import Period, period_at
from .decision import Decision, Source
from .errors import UnknownFeature
from .features import Choice
from .plans import Catalogue, Plan
from .snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Override:
    """An exception somebody made for one account and feature.

    Attributes:
        source: `override` replaces what the plan includes, `credit` adds to it.
        units: of an override how much there is in a period, None without limit, 0 none; of a credit how much of it is left.
        reason, actor: why, and who made it.
        until: when it ends by itself; None never.
        revoked_at, revoked_by: when and by whom it was taken back; None while it counts.
    """

    id: int
    feature: str
    source: Source
    units: int | None
    reason: str
    actor: str
    created_at: datetime
    until: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def is_alive(self, now: datetime) -> bool:
        """Whether it counts at `now`."""
        return self.revoked_at is None and (self.until is None or now < self.until)


@dataclass(frozen=True, kw_only=True)
class Held:
    """Units of a feature in use by something that runs; given back by itself at `until`."""

    feature: str
    units: int
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is stored about one account and that a decision follows from; `used` is by feature and start of its period."""

    account: str
    trial: Trial | None = None
    suspension: Suspension | None = None
    snapshot: Snapshot | None = None
    overrides: tuple[Override, ...] = ()
    used: Mapping[tuple[str, datetime], int] = field(default_factory=dict)
    holds: tuple[Held, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How much of a feature an account has in a period, before its credits; `units` None is without limit."""

    units: int | None
    source: Source
    plan: Plan | None


def require_feature(catalogue: Catalogue, feature: str) -> None:
    """Raise `UnknownFeature` unless some plan of the catalogue names the feature; a slip of the pen must not read as a refusal."""
    known = features(catalogue)
    if feature not in known:
        raise UnknownFeature(feature, known)


def features(catalogue: Catalogue) -> tuple[str, ...]:
    """Every feature and limit that the catalogue declares or a plan of it names, sorted."""
    declared = {one.name for one in catalogue.features if not isinstance(one, Choice)}
    return tuple(sorted(declared | {name for plan in catalogue.plans for name in (*plan.features, *plan.limits)}))


def option_of(name: str, *, access: Access, catalogue: Catalogue) -> str:
    """Which option of a choice the account has: its plan's while it may write, else the least.

    Raises:
        UnknownFeature: the catalogue declares no such choice.
    """
    choice = catalogue.choice(name)
    plan = catalogue.plan(access.plan_key) if access.plan_key and access.may_write else None
    return plan.choices.get(name, choice.options[0]) if plan else choice.options[0]


def decide_on(facts: Facts, feature: str, amount: int, *, access: Access, catalogue: Catalogue, now: datetime) -> Decision:
    """The decision at `now`.

    Args:
        amount: units wanted, >= 1.
        access: the account's access at `now`.
    Raises:
        UnknownFeature: no plan names the feature.
        ValueError: amount is below 1.
    """
    if amount < 1:
        raise ValueError(f"{amount} of {feature!r} is nothing to ask for; ask for 1 or more")
    require_feature(catalogue, feature)
    period = period_at(facts.trial, facts.snapshot, now)
    allowance = allowance_of(facts, feature, access=access, catalogue=catalogue, now=now)
    credit = credit_left(facts, feature, now)
    counted, held = facts.used.get((feature, period.start), 0), units_held(facts, feature, now)
    limit = None if allowance.units is None else allowance.units + credit
    room = None if allowance.units is None else max(0, allowance.units - counted)
    remaining = None if room is None else max(0, room + credit - held)
    is_stopped = access.phase is not Phase.none and not access.may_write
    allowed = not is_stopped and (remaining is None or amount <= remaining)
    is_credit = allowed and room is not None and amount + held > room
    source = Source.suspension if is_stopped else Source.credit if is_credit else allowance.source
    said = Decision(
        account=facts.account,
        feature=feature,
        amount=amount,
        allowed=allowed,
        limit=0 if is_stopped else limit,
        used=counted + held,
        remaining=0 if is_stopped else remaining,
        source=source,
        reason="",
        until=_until(facts, feature, access=access, period_end=period.end if allowance.units else None, now=now),
    )
    return replace(said, reason=_reason(said, allowance, access, period))


def allowance_of(facts: Facts, feature: str, *, access: Access, catalogue: Catalogue, now: datetime) -> Allowance:
    """What override or plan gives, whatever is used of it."""
    plan = catalogue.plan(access.plan_key) if access.plan_key else None
    living = [one for one in facts.overrides if one.feature == feature and one.source is Source.override and one.is_alive(now)]
    if living:
        newest = max(living, key=lambda one: (one.created_at, one.id))
        return Allowance(units=newest.units, source=Source.override, plan=plan)
    source = {Phase.trialing: Source.trial, Phase.grace: Source.grace}.get(access.phase, Source.plan)
    if plan is None or access.phase is Phase.none:
        return Allowance(units=0, source=source, plan=plan)
    units = plan.limits.get(feature, None if feature in plan.features else 0)
    return Allowance(units=units, source=source, plan=plan)


def credit_left(facts: Facts, feature: str, now: datetime) -> int:
    """Units granted on top that are left."""
    return sum(one.units or 0 for one in living_credits(facts, feature, now))


def living_credits(facts: Facts, feature: str, now: datetime) -> list[Override]:
    """Credits of the feature that count, soonest to end first: the order they are used in."""
    found = [one for one in facts.overrides if one.feature == feature and one.source is Source.credit and one.is_alive(now)]
    return sorted(found, key=lambda one: (one.until is None, one.until or one.created_at, one.id))


def units_held(facts: Facts, feature: str, now: datetime) -> int:
    """Units in use by what runs now."""
    return sum(one.units for one in facts.holds if one.feature == feature and now < one.until)


def _until(facts: Facts, feature: str, *, access: Access, period_end: datetime | None, now: datetime) -> datetime | None:
    exceptions = [one.until for one in facts.overrides if one.feature == feature]
    holds = [one.until for one in facts.holds if one.feature == feature]
    return min((at for at in (access.until, period_end, *exceptions, *holds) if at is not None and at > now), default=None)


def _reason(said: Decision, allowance: Allowance, access: Access, period: Period) -> str:
    if said.source is Source.suspension:
        state = access.phase.replace("_", "-")
        return f"The account is {state}: its trial or plan ended, or a payment is missing. Paying for a plan lifts it."
    giver = _giver(allowance, access)
    if said.limit is None:
        return f"{giver} includes {said.feature}."
    if said.limit == 0:
        return f"{giver} does not include {said.feature}."
    credit = "" if said.limit == allowance.units else ", credits included"
    told = f"{giver} includes {said.limit} of {said.feature} until {period.end:%Y-%m-%d}{credit}; {said.used} are used"
    return f"{told}." if said.allowed else f"{told}, so {said.amount} more do not fit."


def _giver(allowance: Allowance, access: Access) -> str:
    if allowance.source is Source.override:
        return "An exception made for this account"
    if allowance.plan is None or access.phase is Phase.none:
        return "An account without a plan"
    name = f"Plan {allowance.plan.name}"
    if allowance.source is Source.trial:
        return f"{name}, on trial,"
    return f"{name}, while a payment is missing," if allowance.source is Source.grace else name
