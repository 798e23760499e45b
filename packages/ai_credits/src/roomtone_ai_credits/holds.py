"""Holds: credits promised to work that is under way, each with its own expiry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .copies import changed
from .errors import InsufficientCredits, TooManyHolds
from .limits import Limit
from .lots import Lot
from .pricing import ModelRate
from .usage import Usage


class HoldState(StrEnum):
    """Open holds promise credit. A released or expired one may still be settled late; a settled one is final."""

    open = "open"
    settled = "settled"
    released = "released"
    expired = "expired"


class Overrun(StrEnum):
    """What becomes of the cost of work that no credit covers. Settling is never refused for it, and an event tells of it."""

    debt = "debt"
    """It is owed: the next credits pay it."""
    overdraft = "overdraft"
    """It is owed up to the overdraft, and the rest is written off."""
    write_off = "write_off"
    """It is given up."""


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
    team: str | None = None
    api_key: str | None = None
    parent_id: str | None = None
    """The hold whose promise this one was taken from, such as an agent's run."""
    limits: tuple[str, ...] = ()
    """The tallies it is counted in."""
    charged: int | None = None
    """What was charged; None until settled."""
    is_late: bool = False
    """Whether it was settled after it had been released or had expired."""

    def with_slices(self, more: Mapping[int, int], sign: int = 1) -> Hold:
        """Return this hold with more credit of lots, or less with `sign` -1."""
        slices = {number: self.slices.get(number, 0) + sign * more.get(number, 0) for number in (*self.slices, *more)}
        kept = {number: amount for number, amount in slices.items() if amount}
        return changed(self, slices=kept, amount=self.amount + sign * sum(more.values()))

    def affordable(self, prompt: Usage, *, most: int) -> int:
        """Return how many output tokens it covers after `prompt`, at most `most`: what to pass as `max_tokens`."""
        return self.rate.affordable(prompt, available=self.amount, most=most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """The answer to settling a hold, or to a charge. Amounts are micro-credits."""

    hold_id: str | None = None
    """None for a charge without a hold."""
    charged: int
    debt: int = 0
    """The part of `charged` no lot could pay: the next credits that come in pay it."""
    written_off: int = 0
    """The part of `charged` that was given up: neither paid nor owed."""
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
    limits: tuple[tuple[Limit, int], ...] = ()
    """The limits such a use is counted in, and what each leaves."""
    refusal: InsufficientCredits | TooManyHolds | None
    """Why it would be refused; None when it would be granted."""

    @property
    def is_granted(self) -> bool:
        """Whether the hold would be granted."""
        return self.refusal is None
