"""What happens to one tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..lifecycle import TenantState
from ..tenant import Tenant
from .bus import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted(Event):
    """A step is about to work. What a handler raises fails the step, and the next attempt calls it again."""

    tenant: Tenant
    operation: str
    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished(Event):
    """A step's work is done and not yet recorded. What a handler raises fails the step; after a kill it may be called again.

    The last step of an operation records its own end: handlers are told of it afterwards and their errors are logged.
    """

    tenant: Tenant
    operation: str
    step: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFailed(Event):
    """A step failed and this was recorded; the operation can be run again."""

    tenant: Tenant
    operation: str
    step: str
    error: Exception


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantRegistered(Event):
    """The transaction that registered a tenant was committed; the tenant is as it was then."""

    tenant: Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantActivated(Event):
    """A new tenant can be used for the first time."""

    tenant: Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class StateChanged(Event):
    """A tenant moved within its lifecycle, and this was committed."""

    tenant: Tenant
    before: TenantState
    after: TenantState
    reason: str
    actor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationUndone(Event):
    """A move, restore, clone or backup failed, and what it had done was taken back."""

    tenant: Tenant
    operation: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupMade(Event):
    """A backup was written and read back."""

    tenant: Tenant
    backup: str
    rows: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantRestored(Event):
    """A tenant was put back to a backup.

    Args:
        refused_s: how long its writes were refused, seconds.
    """

    tenant: Tenant
    backup: str
    rows: int
    refused_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantMoved(Event):
    """A tenant lives on another server now.

    Args:
        refused_s: how long its writes were refused, seconds.
    """

    tenant: Tenant
    source: str
    target: str
    rows: int
    refused_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantCloned(Event):
    """A new tenant was made of another one's data.

    Args:
        source: that one's key.
        backup: the backup it was made of; None when it was the live database.
    """

    tenant: Tenant
    source: str
    backup: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantExported(Event):
    """All that a tenant has was written into a file, and read back."""

    tenant: Tenant
    rows: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantImported(Event):
    """A new tenant was made of a file.

    Args:
        source: the key of the tenant that the file was made of.
    """

    tenant: Tenant
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantRenamed(Event):
    """A tenant has another key, and this was committed.

    Args:
        before: its key until then.
    """

    tenant: Tenant
    before: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletionPlanned(Event):
    """A tenant was archived and is due for deletion, and this was committed."""

    tenant: Tenant
    delete_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantDeleted(Event):
    """A tenant's database was seen to be gone, and its key is free.

    Args:
        tenant: as it was last.
        backup: the last one; None when none was made.
    """

    tenant: Tenant
    backup: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DoorSet(Event):
    """A tenant's database was told whom to let in: `open`, `read_only`, `closed` or `fenced`."""

    tenant: Tenant
    door: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyDropped(Event):
    """A database beside a tenant's own is gone: one that it was to get, or had until it was moved or restored."""

    tenant_id: str
    server: str
    database: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordRotated(Event):
    """A tenant has another login with another password."""

    tenant: Tenant
    role: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginRetired(Event):
    """Nobody can log in any more as a role that was replaced."""

    tenant: Tenant
    role: str
