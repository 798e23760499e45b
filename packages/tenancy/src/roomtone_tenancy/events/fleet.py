"""What happens to the fleet: runs of migrations, spares, master keys."""

from __future__ import annotations

from dataclasses import dataclass

from ..tenant import Tenant
from .bus import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted(Event):
    """A run over the fleet was written down."""

    run: int
    target: str
    tenants: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResumed(Event):
    """A run that had stopped goes on."""

    run: int
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveStarted(Event):
    """The first tenants of a wave were taken; wave 0 is the canary."""

    run: int
    wave: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantMigrated(Event):
    """A tenant of a run is at its target.

    Args:
        way: `replay` or `alembic`; None when its database was there already.
    """

    run: int
    key: str
    server: str
    before: str | None
    after: str
    way: str | None
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationFailed(Event):
    """A try at a tenant failed; another one follows."""

    run: int
    key: str
    server: str
    error: str
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantQuarantined(Event):
    """A run gave a tenant up. The next run, or the run when it is resumed, takes it again."""

    run: int
    key: str
    server: str
    error: str
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinished(Event):
    """A run ended: `done`, or `stopped` for a reason."""

    run: int
    target: str
    state: str
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareMade(Event):
    """A spare database is ready to be claimed."""

    server: str
    database: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareClaimed(Event):
    """A new tenant took a spare, and this was committed."""

    tenant: Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareDropped(Event):
    """A spare that nobody should get any more is gone, with its roles."""

    server: str
    database: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysRotated(Event):
    """A rotation of the master key ended.

    Args:
        rewrapped: secrets brought under the current key.
        left: those under other keys still.
    """

    key_id: str
    rewrapped: int
    left: int
