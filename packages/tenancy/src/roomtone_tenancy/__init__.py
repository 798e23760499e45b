"""One database per tenant: catalog, provisioning, routing and fleet migrations on SQLAlchemy and Alembic."""

from .errors import TenancyError
from .guard import TenantSession, tenant_of
from .lifecycle import TenantState
from .migrate import MigrationReport
from .progress import Progress, StepProgress, StepState
from .server import PoolLimits, Server
from .tenancy import Tenancy
from .tenant import LifecycleEntry, Tenant
from .vault import KeyRing

__all__ = [
    "KeyRing",
    "LifecycleEntry",
    "MigrationReport",
    "PoolLimits",
    "Progress",
    "Server",
    "StepProgress",
    "StepState",
    "Tenancy",
    "TenancyError",
    "Tenant",
    "TenantSession",
    "TenantState",
    "tenant_of",
]
