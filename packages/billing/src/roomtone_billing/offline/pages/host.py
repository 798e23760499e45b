"""What every page needs: the offline Stripe it belongs to, and where its forms lead."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import current_app, g

if TYPE_CHECKING:
    from ..offline_stripe import OfflineStripe

EXTENSION = "offline_stripe"


def host() -> OfflineStripe:
    """Return the offline Stripe of the current application."""
    return current_app.extensions[EXTENSION]  # type: ignore[no-any-return]


def allow_leaving_to(url: str | None) -> None:
    """Let this page's form end in a redirect to the caller's address."""
    address = urlsplit(url or "")
    if address.scheme in ("http", "https") and address.netloc and not set(address.netloc) & set(" ;,'\""):
        g.leads_to = f"{address.scheme}://{address.netloc}"


def leads_to() -> str:
    """Return the origin that `allow_leaving_to` named, or nothing."""
    return str(g.get("leads_to", ""))
