"""Disputes, and whose payment they are about."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class DisputesGateway(Protocol):
    """What an event about a charge does not say, and what is written down about one."""

    def customer_of(self, charge: str) -> str | None:
        """The customer who paid the charge; None when it was nobody's, or the charge is gone."""

    def forgive_charge(self, charge: str, *, at: datetime) -> None:
        """Note at the charge that its dispute holds back nothing any more."""
