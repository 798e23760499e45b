"""A spare database that a transaction took for its new tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .vault import Sealed


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What was the spare's and becomes the tenant's.

    Args:
        id: the tenant's id from now on; the stamp inside carries it.
        role: its login; None where tenants have no roles.
        sealed: that login's password, bound to `id`.
    """

    id: str
    server: str
    database: str
    revision: str
    role: str | None
    sealed: Sealed | None
    created_at: datetime
