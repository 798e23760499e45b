"""The portal's configuration at Stripe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..portal import Portal, PublishedPortal
from .connection import PAGE_MAX, Connection, asking, plain

# What tells our configuration from those that people made in the dashboard.
_MARK = {"roomtone": "portal"}
_NAME = "roomtone"


class StripePortal(Connection):
    """Portal configurations: `is_default` cannot be set over the API, so ours is named when a session is opened."""

    def find_portal(self) -> PublishedPortal | None:
        """The oldest active configuration with our mark: of two made at once, all take the same."""
        with asking():
            page = self._client.billing_portal.configurations.list({"active": True, "limit": PAGE_MAX})
            ours = [one for one in plain(page.data) if (one.get("metadata") or {}).get("roomtone") == _MARK["roomtone"]]
            return _published(min(ours, key=lambda one: (one["created"], one["id"]))) if ours else None

    def put_portal(self, portal: Portal, *, id: str | None) -> None:  # noqa: A002 the word of the API
        """Create it, or update it; what it must not offer is switched off either way."""
        profile = {"headline": portal.headline, "terms_of_service_url": portal.terms_url, "privacy_policy_url": portal.privacy_url}
        params: Any = {  # Any: the SDK wants the details as literals; Stripe checks them
            "business_profile": {name: value for name, value in profile.items() if value is not None},
            "features": {
                "customer_update": {"enabled": bool(portal.details), "allowed_updates": sorted(portal.details)},
                "invoice_history": {"enabled": portal.invoices},
                "payment_method_update": {"enabled": portal.card},
                "subscription_cancel": {"enabled": False},
                "subscription_update": {"enabled": False},
            },
            "metadata": _MARK,
            "name": _NAME,
        }
        with asking():
            if id is None:
                digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:32]
                self._client.billing_portal.configurations.create(params, {"idempotency_key": f"portal-{digest}"})
            else:
                self._client.billing_portal.configurations.update(id, params)


def _published(found: Mapping[str, Any]) -> PublishedPortal:
    features, profile = found["features"], found["business_profile"]
    customer = features["customer_update"]
    return PublishedPortal(
        id=found["id"],
        portal=Portal(
            card=features["payment_method_update"]["enabled"],
            invoices=features["invoice_history"]["enabled"],
            details=frozenset(customer["allowed_updates"]) if customer["enabled"] else frozenset(),
            headline=profile["headline"] or None,
            terms_url=profile["terms_of_service_url"] or None,
            privacy_url=profile["privacy_policy_url"] or None,
        ),
        offers_more=features["subscription_cancel"]["enabled"] or features["subscription_update"]["enabled"],
    )
