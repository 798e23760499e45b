"""Pytest fixtures: Stripe in the test's own process. `pytest_plugins = ["roomtone_billing.offline.testing"]` in a conftest.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from .offline_stripe import OfflineStripe

if TYPE_CHECKING:
    import stripe

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def offline_stripe_settings() -> dict[str, Any]:
    """Arguments for `OfflineStripe`; define this fixture anew to set a webhook address, a seed or the end of dunning."""
    return {}


@pytest.fixture
def offline_stripe(offline_stripe_settings: dict[str, Any]) -> Iterator[OfflineStripe]:
    """An empty Stripe whose clock stands at noon of 1 January 2026 until it is advanced, and which checks everything it sends."""
    offline = OfflineStripe(**{"clock": lambda: START, "validate": True, **offline_stripe_settings})
    yield offline
    offline.close()


@pytest.fixture
def stripe_client(offline_stripe: OfflineStripe) -> stripe.StripeClient:
    """The SDK's own client, on `offline_stripe`; it does not try again by itself."""
    return offline_stripe.client()
