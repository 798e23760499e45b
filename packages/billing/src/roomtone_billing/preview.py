"""A change that was shown: what it costs now and later, as values that can be stored and compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter

from .gateway import PreviewedInvoice, PreviewLine, Wanted
from .obstacle import Obstacle
from .plans import Catalogue, Interval

Moment = Literal["now", "period_end"]
SEATS = "seats"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a change would cost, as Stripe says: show it, then `confirm(token)` before `expires_at`.

    Args:
        takes_effect: `now`, paid at once; or `period_end`, when `at` is.
        due_now_minor: what is taken from the card on confirming.
        credit_minor: what the invoice gives back for time not used, >= 0; more than is due stays as a balance.
        next_minor, next_at: the next whole invoice after the change.
        lines: of the invoice on confirming; empty for a change at the period's end.
        obstacles: why it is refused unless a reason to override them is given.
    """

    token: str
    plan_key: str
    interval: Interval
    seats: int | None
    takes_effect: Moment
    at: datetime
    due_now_minor: int
    credit_minor: int
    next_minor: int
    next_at: datetime
    currency: str
    lines: tuple[PreviewLine, ...]
    obstacles: tuple[Obstacle, ...]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A preview with all that confirming it needs; `basis` is what the subscription was when it was shown."""

    preview: Preview
    wanted: Wanted
    basis: str
    now: PreviewedInvoice | None
    next: PreviewedInvoice


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """What became of a confirmed change: made; planned for `at`; or waiting until `at` for a payment that `url` takes."""

    state: Literal["changed", "scheduled", "payment_needed"]
    at: datetime
    url: str | None = None


def moment(
    catalogue: Catalogue,
    *,
    before: tuple[str | None, Interval | None, int | None],
    after: tuple[str, Interval, int | None],
    currency: str | None = None,
) -> Moment:
    """When a change takes effect if nobody says: what costs more begins now, what costs less when the paid period ends."""
    plan, interval, seats = before
    new_plan, new_interval, new_seats = after
    if plan is None or interval is None:
        return "now"
    if interval is not new_interval:
        return "now" if new_interval is Interval.year else "period_end"
    old = catalogue.plan(plan).price(interval, currency).amount_minor * (seats or 1)
    new = catalogue.plan(new_plan).price(new_interval, currency).amount_minor * (new_seats or 1)
    return "now" if new >= old else "period_end"


shown_json: TypeAdapter[Shown] = TypeAdapter(Shown)
confirmed_json: TypeAdapter[Confirmed] = TypeAdapter(Confirmed)
