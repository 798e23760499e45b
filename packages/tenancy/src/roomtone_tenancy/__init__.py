"""One database per tenant: catalog, provisioning, routing and fleet migrations on SQLAlchemy and Alembic."""

from .cache import CacheStats
from .connections import HeldConnections, LongLease, ServerConnections
from .errors import TenancyError
from .guard import TenantSession, same_row, tenant_of
from .key_providers import CallableKeys, KeyProvider, KeyRing
from .lifecycle import TenantState
from .logins import PasswordReport
from .migrate import MigrationReport
from .placement import Candidate, Placement, Wish
from .progress import Progress, StepProgress, StepState
from .refusal import Page, Reason, Refusal
from .reserved import Reserved
from .resolve import normalise_host
from .sealed_rows import KeyRotation
from .secrecy import Secrets
from .server import PoolLimits, Server, ServerState
from .servers import Servers, ServerStatus
from .tenancy import Tenancy
from .tenant import LifecycleEntry, Tenant

__all__ = [
    "CacheStats",
    "CallableKeys",
    "Candidate",
    "HeldConnections",
    "KeyProvider",
    "KeyRing",
    "KeyRotation",
    "LifecycleEntry",
    "LongLease",
    "MigrationReport",
    "Page",
    "PasswordReport",
    "Placement",
    "PoolLimits",
    "Progress",
    "Reason",
    "Refusal",
    "Reserved",
    "Secrets",
    "Server",
    "ServerConnections",
    "ServerState",
    "ServerStatus",
    "Servers",
    "StepProgress",
    "StepState",
    "Tenancy",
    "TenancyError",
    "Tenant",
    "TenantSession",
    "TenantState",
    "Wish",
    "normalise_host",
    "same_row",
    "tenant_of",
]
