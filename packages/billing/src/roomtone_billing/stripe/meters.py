"""Telling Stripe's meters of use."""

from __future__ import annotations

from datetime import datetime

from ..errors import GatewayRefused
from .connection import Connection, asking


class StripeMeters(Connection):
    """Meter events."""

    def report_use(self, *, meter: str, customer: str, units: int, identifier: str, at: datetime) -> None:
        """Send one meter event; that it was there already is as good.

        Source: https://docs.stripe.com/api/billing/meter-event/create: an identifier is unique for a day.
        """
        try:
            with asking():
                self._client.billing.meter_events.create(
                    {
                        "event_name": meter,
                        "payload": {"stripe_customer_id": customer, "value": str(units)},
                        "identifier": identifier,
                        "timestamp": int(at.timestamp()),
                    }
                )
        except GatewayRefused as error:
            if error.code != "duplicate_meter_event":
                raise
