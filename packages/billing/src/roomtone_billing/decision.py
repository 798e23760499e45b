"""The answer to *may it use so much more of this feature*: an explained decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """What decided."""

    plan = "plan"
    trial = "trial"
    grace = "grace"
    override = "override"
    credit = "credit"
    suspension = "suspension"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether `amount` more of a feature may be used, and all of why.

    Attributes:
        allowed: whether it may.
        limit: units in this period, credits included; None without limit, 0 when the feature is not included.
        used: units used in this period or held now.
        remaining: units that may still be used; None without limit.
        source: what decided.
        reason: a sentence for people.
        until: the earliest moment at which time alone may change this decision; None when only news can.
    """

    account: str
    feature: str
    amount: int
    allowed: bool
    limit: int | None
    used: int
    remaining: int | None
    source: Source
    reason: str
    until: datetime | None
