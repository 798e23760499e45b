"""The portal's configuration at Stripe."""

from __future__ import annotations

from typing import Protocol

from ..portal import Portal, PublishedPortal


class PortalGateway(Protocol):
    """One configuration of the portal that is ours, known by its mark."""

    def find_portal(self) -> PublishedPortal | None:
        """Ours, if it is there."""

    def put_portal(self, portal: Portal, *, id: str | None) -> None:  # noqa: A002 the word of the API
        """Make it, or change the one of that id."""
