"""Stripe's lists."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import stripe

from ..errors import MalformedTruth
from ..gateway.lists import EventPage, ListedSubscription, StripeEvent, SubscriptionPage, WebhookEndpoint
from . import translation
from .connection import PAGE_MAX, Connection, asking, plain
from .customers import EXPANDED


class StripeLists(Connection):
    """Events, subscriptions, endpoints, and the time."""

    @property
    def api_version(self) -> str:
        """The version that this SDK is made for."""
        return str(stripe.api_version)

    def events(
        self, *, stripe_account: str = "", after: str | None = None, before: str | None = None, since: datetime | None = None
    ) -> EventPage:
        """A page of events, each with its body as Stripe wrote it."""
        params: Any = {"limit": PAGE_MAX}  # Any: the SDK's own type of it leaves no room for what is optional
        params |= {"starting_after": after} if after else {}
        params |= {"ending_before": before} if before else {}
        params |= {"created": {"gte": int(since.timestamp())}} if since else {}
        with asking():
            page = self._client.events.list(params, {"stripe_account": stripe_account} if stripe_account else {})
            # The raw body: the SDK's objects hold decimals, which are no JSON.
            found = json.loads(page.last_response.body)["data"] if page.last_response else plain(page.data)
            events = tuple(
                StripeEvent(
                    id=one["id"],
                    type=one["type"],
                    created_at=datetime.fromtimestamp(one["created"], UTC),
                    # As at an endpoint for connected accounts, which is told whose each event is.
                    payload=json.dumps({**one, "account": stripe_account} if stripe_account else one).encode(),
                )
                for one in found
            )
        return EventPage(events=events, has_more=bool(page.has_more))

    def subscriptions(self, *, after: str | None = None) -> SubscriptionPage:
        """A page of subscriptions with customer and newest invoice: one call for a hundred."""
        params: Any = {  # Any: as above
            "status": "all",
            "limit": PAGE_MAX,
            "expand": ["data.customer", "data.latest_invoice.payments", *EXPANDED],
        }
        params |= {"starting_after": after} if after else {}
        with asking():
            page = self._client.subscriptions.list(params)
            return SubscriptionPage(subscriptions=tuple(_listed(one) for one in plain(page.data)), has_more=bool(page.has_more))

    def endpoints(self) -> list[WebhookEndpoint]:
        """The webhook endpoints of the account."""
        with asking():
            return [
                WebhookEndpoint(
                    id=one["id"],
                    url=one["url"],
                    api_version=one.get("api_version"),
                    is_enabled=one["status"] == "enabled",
                    events=tuple(one["enabled_events"]),
                )
                for one in plain(self._client.webhook_endpoints.list({"limit": PAGE_MAX}).data)
            ]

    def server_time(self) -> datetime:
        """The `Date` of an answer."""
        with asking():
            answer = self._client.events.list({"limit": 1}).last_response
            date = {name.lower(): value for name, value in (answer.headers if answer else {}).items()}.get("date")
        if date is None:
            raise MalformedTruth("an answer of Stripe", "it has no date")
        return parsedate_to_datetime(date).astimezone(UTC)


def _listed(thing: dict[str, Any]) -> ListedSubscription:
    customer = thing["customer"]
    metadata = {} if isinstance(customer, str) else customer.get("metadata") or {}
    invoice = thing.get("latest_invoice")
    return ListedSubscription(
        customer=customer if isinstance(customer, str) else customer["id"],
        subscription=translation.subscription(thing),
        invoice=translation.invoice(invoice) if isinstance(invoice, dict) else None,
        account=metadata.get("account"),
        token=metadata.get("token"),
    )
