"""Subscriptions at Stripe: ending, pausing and going on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol


class CancelReason(StrEnum):
    """Why a customer leaves, in Stripe's words."""

    customer_service = "customer_service"
    low_quality = "low_quality"
    missing_features = "missing_features"
    switched_service = "switched_service"
    too_complex = "too_complex"
    too_expensive = "too_expensive"
    unused = "unused"
    other = "other"


class SubscriptionsGateway(Protocol):
    """The life of a subscription that exists."""

    def end_subscription(self, subscription: str, *, reason: CancelReason | None, comment: str | None) -> None:
        """End it now, without a refund. Raises `GatewayRefused` when it is over already."""

    def end_subscription_at(
        self, subscription: str, *, at: datetime | None, reason: CancelReason | None, comment: str | None, key: str
    ) -> None:
        """Let it end at a moment, without a refund for what is left; None is where its period ends."""

    def keep_subscription(self, subscription: str, *, key: str) -> None:
        """Let it go on after all."""

    def restart_subscription(self, subscription: str, *, key: str) -> None:
        """Let one that Stripe paused begin a new period now; raises `GatewayRefused` when that cannot be paid."""

    def pause_collection(self, subscription: str, *, paused_at: datetime, resumes_at: datetime | None, key: str) -> None:
        """Collect nothing for the periods that begin from now on; their invoices are void."""

    def resume_collection(self, subscription: str, *, key: str) -> None:
        """Collect again, from the next invoice on."""

    def release_schedule(self, schedule: str) -> None:
        """Let a subscription go on without its schedule."""

    def pay_invoice(self, invoice: str) -> None:
        """Try to collect an open invoice now; raises `GatewayRefused` when the card does not pay."""
