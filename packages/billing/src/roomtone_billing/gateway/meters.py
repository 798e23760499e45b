"""Meters at Stripe, which count what customers use."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class MetersGateway(Protocol):
    """Telling meters of use."""

    def report_use(self, *, meter: str, customer: str, units: int, identifier: str, at: datetime) -> None:
        """Tell the meter of a use; one it was told of under the same identifier within a day is told already, and that is well.

        Raises:
            GatewayRefused: there is no such meter or customer, or the time is more than 35 days past.
        """
