"""Lots: the credits of one grant, the order they are burnt in, and when they die."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase

_NEVER = datetime.max.replace(tzinfo=UTC)


class LotKind(StrEnum):
    """Where a lot's credits come from."""

    allowance = "allowance"
    rollover = "rollover"
    promotion = "promotion"
    adjustment = "adjustment"
    refund = "refund"
    pack = "pack"


# What was given is burnt before what was bought.
PRIORITY = {
    LotKind.allowance: 10,
    LotKind.rollover: 10,
    LotKind.promotion: 10,
    LotKind.adjustment: 20,
    LotKind.refund: 20,
    LotKind.pack: 30,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """Credits granted together. Amounts are micro-credits; `number` counts from 1 within the account; 0 before it is opened."""

    number: int = 0
    kind: LotKind
    granted: int
    remaining: int = 0
    held: int = 0
    """The part of `remaining` that open holds promise."""
    granted_at: datetime
    effective_at: datetime | None = None
    """From when on it may be spent; None: at once."""
    expires_at: datetime | None = None
    priority: int = 20
    """Lower is burnt sooner."""
    cost_minor: int = 0
    """What the customer paid for all of `granted`, in minor units of `currency`; 0 for what was given."""
    currency: str | None = None
    models: tuple[str, ...] = ()
    """Patterns of the models it pays for; empty: all of them."""
    features: tuple[str, ...] = ()
    """The features it pays for; empty: all of them."""
    rule: str | None = None
    period: int | None = None
    is_done: bool = False
    """Whether it was seen to be empty after its end: then only a reversal can make it matter again."""

    @property
    def free(self) -> int:
        """Micro-credits no hold promises."""
        return self.remaining - self.held

    @property
    def is_open(self) -> bool:
        """Whether this lot can still matter without a reversal: it has credit left, or has not ended."""
        return self.remaining > 0 or (self.expires_at is not None and not self.is_done)

    @property
    def is_restricted(self) -> bool:
        """Whether it pays for some uses only."""
        return bool(self.models or self.features)

    def is_dead(self, now: datetime) -> bool:
        """Whether it has expired; the instant of expiry is already too late."""
        return self.expires_at is not None and self.expires_at <= now

    def is_live(self, now: datetime) -> bool:
        """Whether its free credit may be spent: it has begun and has not expired."""
        return not self.is_dead(now) and (self.effective_at is None or self.effective_at <= now)

    def pays(self, model: str | None, feature: str | None) -> bool:
        """Whether it pays for a use of `model` by `feature`. A restricted lot pays for no use that names neither."""
        if self.features and feature not in self.features:
            return False
        return not self.models or (model is not None and any(fnmatchcase(model, pattern) for pattern in self.models))

    def burn_order(self) -> tuple[int, datetime, bool, bool, int]:
        """Sort key: lowest priority, soonest to expire, given before bought, narrow before wide, oldest."""
        return (self.priority, self.expires_at or _NEVER, self.cost_minor > 0, not self.is_restricted, self.number)


def take(lots: Iterable[Lot], amount: int) -> dict[int, int]:
    """Choose up to `amount` of the free credit of lots that come in burn order: lot number to micro-credits, no zeros."""
    chosen: dict[int, int] = {}
    for lot in lots:
        if amount <= 0:
            break
        if part := min(lot.free, amount):
            chosen[lot.number] = part
            amount -= part
    return chosen
