"""How far an account is with taking money from its own clients."""

from __future__ import annotations

from enum import StrEnum


class ConnectState(StrEnum):
    """How far an account is with taking money."""

    none = "none"  # never begun, or disconnected
    onboarding = "onboarding"  # begun, and Stripe lacks details
    restricted = "restricted"  # all was told, and Stripe does not let it charge (any more)
    ready = "ready"  # it can charge
    deauthorised = "deauthorised"  # it left the platform
