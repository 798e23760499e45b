"""Lots: the credits of one grant, the order they are burnt in, and when they die."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

_NEVER = datetime.max.replace(tzinfo=UTC)


class LotKind(StrEnum):
    """Where a lot's credits come from."""

    allowance = "allowance"
    promotion = "promotion"
    adjustment = "adjustment"
    refund = "refund"
    pack = "pack"


# What was given is burnt before what was bought.
_PRIORITY = {LotKind.allowance: 10, LotKind.promotion: 10, LotKind.adjustment: 20, LotKind.refund: 20, LotKind.pack: 30}


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """Credits granted together. Amounts are micro-credits; `number` counts from 1 within the account."""

    number: int
    kind: LotKind
    granted: int
    remaining: int
    held: int = 0
    """The part of `remaining` that open holds promise."""
    granted_at: datetime
    expires_at: datetime | None = None
    rule: str | None = None
    period: int | None = None

    @property
    def free(self) -> int:
        """Micro-credits no hold promises."""
        return self.remaining - self.held

    @property
    def is_open(self) -> bool:
        """Whether this lot can still matter without a reversal: it has credit left, or stands for a running period."""
        return self.remaining > 0 or self.expires_at is not None

    def is_live(self, now: datetime) -> bool:
        """Whether its free credit may be spent; the instant of expiry is already too late."""
        return self.expires_at is None or now < self.expires_at

    def burn_order(self) -> tuple[int, datetime, int]:
        """Sort key: given before bought, then soonest to expire, then oldest."""
        return (_PRIORITY[self.kind], self.expires_at or _NEVER, self.number)


def take(lots: Iterable[Lot], amount: int) -> dict[int, int]:
    """Choose up to `amount` of the lots' free credit in burn order: lot number to micro-credits, no zeros."""
    chosen: dict[int, int] = {}
    for lot in sorted(lots, key=Lot.burn_order):
        if amount <= 0:
            break
        if part := min(lot.free, amount):
            chosen[lot.number] = part
            amount -= part
    return chosen
