"""Holds: credits promised to work that is under way, each with its own expiry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .errors import InsufficientCredits, TooManyHolds
from .lots import Lot
from .pricing import ModelRate
from .usage import Usage


class HoldState(StrEnum):
    """Open holds promise credit. A released or expired one may still be settled late; a settled one is final."""

    open = "open"
    settled = "settled"
    released = "released"
    expired = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Credits promised before a model call. Amounts are micro-credits."""

    id: str
    account: str
    key: str
    digest: str
    state: HoldState = HoldState.open
    amount: int
    slices: Mapping[int, int] = field(default_factory=dict)
    """What each lot promises, by lot number; empty unless open."""
    held_at: datetime
    expires_at: datetime
    rate: ModelRate
    """The price at the time of the hold: settling uses it, whatever the card says by then."""
    card_version: str
    estimate: Usage
    model: str
    user: str | None = None
    feature: str | None = None
    charged: int | None = None
    """What was charged; None until settled."""
    is_late: bool = False
    """Whether it was settled after it had been released or had expired."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """The answer to settling a hold, or to a charge. Amounts are micro-credits."""

    hold_id: str | None = None
    """None for a charge without a hold."""
    charged: int
    debt: int = 0
    """The part of `charged` no lot could pay: the next credits that come in pay it."""
    is_late: bool = False
    replayed: bool = False
    """It had been charged before; `charged` is the first answer."""
    is_estimated: bool = False
    """Nobody reported what was used: the estimate was charged, or what the hold had grown to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What a hold would do. Amounts are micro-credits."""

    cost: int
    available: int
    """What such a use may take."""
    parts: tuple[tuple[Lot, int], ...]
    """The lots that would promise credit and how much each, soonest burnt first; empty when refused."""
    refusal: InsufficientCredits | TooManyHolds | None
    """Why it would be refused; None when it would be granted."""

    @property
    def is_granted(self) -> bool:
        """Whether the hold would be granted."""
        return self.refusal is None
