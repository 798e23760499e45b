"""What billing asks of Stripe as a whole: its events, all its subscriptions, its endpoints and its clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ..snapshot import Invoice, Subscription


@dataclass(frozen=True, kw_only=True)
class StripeEvent:
    """An event as Stripe keeps it for thirty days; `payload` is what a webhook would have brought."""

    id: str
    type: str
    created_at: datetime
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """A hundred events at the most, newest first; `has_more` in the direction that was asked for."""

    events: tuple[StripeEvent, ...]
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class ListedSubscription:
    """A subscription in a list: with its customer, its newest invoice, and whose the customer says it is."""

    customer: str
    subscription: Subscription
    invoice: Invoice | None
    account: str | None
    token: str | None


@dataclass(frozen=True, kw_only=True)
class SubscriptionPage:
    """A hundred subscriptions at the most, newest first."""

    subscriptions: tuple[ListedSubscription, ...]
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class WebhookEndpoint:
    """A registered endpoint; `api_version` is None where it follows the account's default."""

    id: str
    url: str
    api_version: str | None
    is_enabled: bool
    events: tuple[str, ...]


class ListsGateway(Protocol):
    """Stripe's lists. Each method is one call."""

    @property
    def api_version(self) -> str:
        """The version that the SDK speaks."""

    def events(
        self, *, stripe_account: str = "", after: str | None = None, before: str | None = None, since: datetime | None = None
    ) -> EventPage:
        """A page of events, of a connected account's when one is named: those older than `after`, or the next newer than `before`, none
        older than `since`.

        Raises `GatewayRefused` with code `resource_missing` when Stripe no longer has the event that is named.
        """

    def subscriptions(self, *, after: str | None = None) -> SubscriptionPage:
        """A page of all subscriptions of the Stripe account, ended ones too: those older than `after`."""

    def endpoints(self) -> list[WebhookEndpoint]:
        """The first hundred webhook endpoints."""

    def server_time(self) -> datetime:
        """Stripe's clock, to the second."""
