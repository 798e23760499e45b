"""A tenant as its host sees it: a frozen value read from the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .lifecycle import TenantState


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """One tenant at one moment.

    Args:
        id: never used twice, also when the key is; the database's stamp carries it.
        domains: the hosts that it answers to, the primary first.
        revision: the Alembic revision of its database; None until it has one.
        database: the opaque name of its database; None once deleted.
        metadata: what the host stored beside it, JSON values; read only.
        epoch: rises with every change of state or place.
    """

    id: str
    key: str
    state: TenantState
    domains: tuple[str, ...]
    revision: str | None
    database: str | None
    server: str | None
    metadata: Mapping[str, Any]  # the host's own JSON: its shape is not ours
    epoch: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LifecycleEntry:
    """One line of a tenant's append-only log; `before` is None for the first."""

    at: datetime
    before: TenantState | None
    after: TenantState
    reason: str
    actor: str
