"""Which domain events a new snapshot announces, given what was announced before. Pure, so every order can be tried."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import TypeAdapter

from . import disputes, purchases, receipts
from .dispute import Dispute
from .events import Event, PeriodRenewed, PlanChanged, SubscriptionEnded, SubscriptionStarted, TrialStarted
from .plans import Catalogue, Interval
from .snapshot import Snapshot, Status, Subscription


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What the host has been told of an account.

    `periods` maps each subscription told of to the start of its newest period told of; `changes` counts plan changes told of;
    `purchases` and `invoices` map each pack and each paid invoice told of to the amount refunded, as told;
    `disputes` maps each dispute told of to what it was then.
    """

    current: str | None = None
    plan_key: str | None = None
    interval: Interval | None = None
    periods: dict[str, datetime] = field(default_factory=dict)
    trials: tuple[str, ...] = ()
    changes: int = 0
    purchases: dict[str, int] = field(default_factory=dict)
    invoices: dict[str, int] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)


def announce(
    before: Announced, snapshot: Snapshot, *, account: str, catalogue: Catalogue, now: datetime
) -> tuple[Announced, tuple[Event, ...]]:
    """What to tell the host, oldest first, and what it has been told then.

    A subscription is told of when it is active and nothing of its current period is unpaid, so credits follow money; one whose price
    is foreign to the catalogue is not told of.
    """
    sold_told, sold = purchases.announce(before.purchases, snapshot, account=account, now=now)
    paid_told, paid = receipts.announce(before.invoices, snapshot, account=account, now=now)
    disputed_told, disputed = disputes.announce(before.disputes, snapshot, account=account, now=now)
    told, events = _end(replace(before, purchases=sold_told, invoices=paid_told, disputes=disputed_told), snapshot, account, now)
    events = sold + paid + disputed + events
    main = snapshot.main()
    plan_key = catalogue.identify(plan=main.price.plan, lookup_key=main.price.lookup_key) if main else None
    if main is None or plan_key is None or main.price.interval is None:
        return told, events
    if main.status is Status.trialing:
        told, more = _trial(told, main, plan_key, main.price.interval, account=account, now=now)
    elif main.status is Status.active and not snapshot.owes_for_period(main):
        told, more = _paid(told, main, plan_key, main.price.interval, account=account, now=now)
    else:
        more = ()
    return told, events + more


def _end(told: Announced, snapshot: Snapshot, account: str, now: datetime) -> tuple[Announced, tuple[Event, ...]]:
    if told.current is None or told.plan_key is None:
        return told, ()
    current = snapshot.subscription(told.current)
    if current is not None and current.status not in {Status.canceled, Status.incomplete_expired}:
        return told, ()
    ended = SubscriptionEnded(account=account, key=f"ended:{told.current}", at=now, plan_key=told.plan_key)
    return replace(told, current=None), (ended,)


def _trial(
    told: Announced, main: Subscription, plan_key: str, interval: Interval, *, account: str, now: datetime
) -> tuple[Announced, tuple[Event, ...]]:
    if main.id in told.trials or main.trial_end is None:
        return told, ()
    event = TrialStarted(account=account, key=f"trial:{main.id}", at=now, plan_key=plan_key, interval=interval, until=main.trial_end)
    return replace(told, trials=(*told.trials, main.id)), (event,)


def _paid(
    told: Announced, main: Subscription, plan_key: str, interval: Interval, *, account: str, now: datetime
) -> tuple[Announced, tuple[Event, ...]]:
    after = replace(
        told,
        current=main.id,
        plan_key=plan_key,
        interval=interval,
        periods={**told.periods, main.id: max(main.period_start, told.periods.get(main.id, main.period_start))},
    )
    if main.id not in told.periods:
        return after, (
            SubscriptionStarted(
                account=account,
                key=f"started:{main.id}",
                at=now,
                plan_key=plan_key,
                interval=interval,
                period_start=main.period_start,
                period_end=main.period_end,
            ),
        )
    events: list[Event] = []
    if (main.id, plan_key, interval) != (told.current, told.plan_key, told.interval):
        after = replace(after, changes=told.changes + 1)
        events.append(
            PlanChanged(
                account=account,
                key=f"plan:{account}:{after.changes}",
                at=now,
                before=told.plan_key or plan_key,
                after=plan_key,
                interval=interval,
                period_start=main.period_start,
                period_end=main.period_end,
            )
        )
    if main.period_start > told.periods[main.id]:
        events.append(
            PeriodRenewed(
                account=account,
                key=f"renewed:{main.id}:{int(main.period_start.timestamp())}",
                at=now,
                plan_key=plan_key,
                interval=interval,
                period_start=main.period_start,
                period_end=main.period_end,
            )
        )
    return after, tuple(events)


_adapter = TypeAdapter(Announced)


def to_json(announced: Announced) -> dict[str, object]:
    """The record as plain JSON values."""
    dumped: dict[str, object] = _adapter.dump_python(announced, mode="json")
    return dumped


def from_json(value: object) -> Announced:
    """The record `to_json` wrote."""
    return _adapter.validate_python(value)
