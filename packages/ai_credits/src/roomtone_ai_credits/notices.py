"""What a host is told of, once: events, the thresholds of a balance, and the order for more credits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

INTENT = "top-up-"


class EventKind(StrEnum):
    """What an event tells."""

    low_balance = "low_balance"
    """What is available fell below a threshold: `below`, `available`."""
    top_up_wanted = "top_up_wanted"
    """Credits should be bought: `intent`, `amount`. Pay under the account and `intent`, then `pay_top_up`."""
    limit_passed = "limit_passed"
    """More was charged in a window than a limit has: `limit`, `scope`, `subject`, `amount`, `spent`."""
    overrun = "overrun"
    """Work cost more than there was: `hold_id`, `debt`, `written_off`."""
    unreported = "unreported"
    """A call was charged as estimated, since nobody reported its usage: `hold_id`, `charged`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something the host is told of, written together with what caused it. Amounts are micro-credits; `number` counts in the account."""

    account: str
    number: int
    at: datetime
    kind: EventKind
    # Any: each kind of event has facts of its own.
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Tells when less than `below` is available; again only after `below` + `rearm` was available."""

    below: int
    rearm: int
    is_armed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUp:
    """Orders `amount` when less than `below` is available, one order at a time. Amounts are micro-credits."""

    below: int
    amount: int
    most_a_month: int | None = None
    """The most ordered in one month of UTC; None: no bound."""
    cooldown_s: int = 3600
    """Seconds from one order to the next; doubled for each order in a row that failed, up to 64 times."""
    number: int = 0
    """How many orders there were."""
    pending: str | None = None
    """The order that is neither paid nor failed."""
    failures: int = 0
    wait_until: datetime | None = None
    month: str = ""
    ordered: int = 0
    """What was ordered in `month`, orders that failed not counted."""

    def was_ordered(self, intent: str) -> bool:
        """Tell whether there was such an order."""
        number = intent.removeprefix(INTENT)
        return intent == f"{INTENT}{number}" and number.isdecimal() and 1 <= int(number) <= self.number
