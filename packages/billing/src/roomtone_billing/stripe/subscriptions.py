"""Subscriptions at Stripe: ending, pausing and going on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..gateway import CancelReason
from .connection import Connection, asking
from .translation import PAUSED_AT


class StripeSubscriptions(Connection):
    """The life of a subscription that exists."""

    def end_subscription(self, subscription: str, *, reason: CancelReason | None, comment: str | None) -> None:
        """End it now, without a refund."""
        with asking():
            self._client.subscriptions.cancel(subscription, {"cancellation_details": _details(reason, comment)})

    def end_subscription_at(
        self, subscription: str, *, at: datetime | None, reason: CancelReason | None, comment: str | None, key: str
    ) -> None:
        """Let it end where its period ends, or at a moment, from which on nothing is credited."""
        # Any, here and below: the SDK wants one of its typed dictionaries; Stripe checks it
        params: Any = {"cancellation_details": _details(reason, comment)}
        params |= {"cancel_at_period_end": True} if at is None else {"cancel_at": int(at.timestamp()), "proration_behavior": "none"}
        with asking():
            self._client.subscriptions.update(subscription, params, {"idempotency_key": key})

    def keep_subscription(self, subscription: str, *, key: str) -> None:
        """Let it go on after all, however its end was asked for."""
        with asking():
            # An end without the flag has only a date, and an end with it is refused when both are sent at once.
            found = self._client.subscriptions.retrieve(subscription)
            params: Any = {"cancel_at_period_end": False} if found.cancel_at_period_end else {"cancel_at": ""}
            self._client.subscriptions.update(subscription, params, {"idempotency_key": key})

    def restart_subscription(self, subscription: str, *, key: str) -> None:
        """Resume one that Stripe paused, with a new period from now on."""
        params: Any = {"billing_cycle_anchor": "now"}
        with asking():
            self._client.subscriptions.resume(subscription, params, {"idempotency_key": key})

    def pause_collection(self, subscription: str, *, paused_at: datetime, resumes_at: datetime | None, key: str) -> None:
        """Void the invoices of the periods that begin from now on; since when is in the metadata."""
        pause: Any = {"behavior": "void"} | ({"resumes_at": int(resumes_at.timestamp())} if resumes_at else {})
        noted = {PAUSED_AT: str(int(paused_at.timestamp()))}
        with asking():
            self._client.subscriptions.update(subscription, {"pause_collection": pause, "metadata": noted}, {"idempotency_key": key})

    def resume_collection(self, subscription: str, *, key: str) -> None:
        """Collect again, from the next invoice on."""
        with asking():
            self._client.subscriptions.update(subscription, {"pause_collection": "", "metadata": {PAUSED_AT: ""}}, {"idempotency_key": key})

    def release_schedule(self, schedule: str) -> None:
        """Let a subscription go on without its schedule."""
        with asking():
            self._client.subscription_schedules.release(schedule)

    def pay_invoice(self, invoice: str) -> None:
        """Try to collect an open invoice now."""
        with asking():
            self._client.invoices.pay(invoice)


def _details(reason: CancelReason | None, comment: str | None) -> Any:
    # Any: the SDK wants the feedback as one of its literals
    given = {"feedback": reason.value if reason else None, "comment": comment}
    return {name: value for name, value in given.items() if value}
