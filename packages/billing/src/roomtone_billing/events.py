"""What happened to an account, as values the host's handlers receive. Each has a business key: the same fact has the same key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from .access import Phase
from .plans import Interval


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to an account; `at` is when billing learnt of it."""

    account: str
    key: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class TrialStarted(Event):
    """A trial began, ours or one of Stripe's; nothing was paid."""

    plan_key: str
    interval: Interval
    until: datetime


@dataclass(frozen=True, kw_only=True)
class SubscriptionStarted(Event):
    """A subscription was paid for (or is free) for the first time. Once per subscription."""

    plan_key: str
    interval: Interval
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class PeriodRenewed(Event):
    """A later period began and is paid. Once per subscription and period; periods nobody saw are not made up."""

    plan_key: str
    interval: Interval
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class PlanChanged(Event):
    """The account is on another plan or interval than last announced, and owes nothing for it."""

    before: str
    after: str
    interval: Interval
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class PhaseChanged(Event):
    """What the account may do changed."""

    before: Phase
    after: Phase


@dataclass(frozen=True, kw_only=True)
class SubscriptionEnded(Event):
    """The subscription last announced is over. Once per subscription."""

    plan_key: str


_ADAPTERS: dict[str, TypeAdapter[Any]] = {  # Any: one adapter per event type
    kind.__name__: TypeAdapter(kind) for kind in Event.__subclasses__()
}


def to_json(event: Event) -> dict[str, object]:
    """The event as plain JSON values."""
    dumped: dict[str, object] = _ADAPTERS[type(event).__name__].dump_python(event, mode="json")
    return dumped


def from_json(kind: str, value: object) -> Event:
    """The event of that type `to_json` wrote."""
    event: Event = _ADAPTERS[kind].validate_python(value)
    return event
