"""What the back-office shows of studios. Reads the control plane only; no studio's database is opened but for its size."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_billing import Access
from roomtone_tenancy import Tenant, TenantState
from studio.platform.models import AuditEvent, Membership, User
from studio.services import Services

AUDIT_SHOWN = 50
LISTED = frozenset(TenantState) - {TenantState.DELETED}


@dataclass(frozen=True, kw_only=True)
class StudioRow:
    """One line of the list.

    Attributes:
        credits_left: micro-credits.
    """

    tenant: Tenant
    name: str
    owner: str
    access: Access
    credits_left: int


def studios(db: Session, services: Services) -> list[StudioRow]:
    """Every studio that is not deleted, newest first."""
    pairs = db.execute(select(Membership.tenant_key, User.email).join(User).where(Membership.role == "owner"))
    owners = {key: email for key, email in pairs}  # noqa: C416  # rows are not pairs to a type checker
    tenants = sorted((t for t in services.database.tenancy.tenants() if t.state in LISTED), key=lambda t: t.created_at, reverse=True)
    return [row(services, tenant, owners.get(tenant.key, "")) for tenant in tenants]


def row(services: Services, tenant: Tenant, owner: str) -> StudioRow:
    """One studio's line."""
    return StudioRow(
        tenant=tenant,
        name=str(tenant.metadata.get("name", tenant.key)),
        owner=owner,
        access=services.billing.account(tenant.key).access(),
        credits_left=services.credits.balance(tenant.key).available,
    )


def owner_of(db: Session, tenant_key: str) -> str:
    """The owner's address, or an empty text."""
    found = db.scalar(select(User.email).join(Membership).where(Membership.tenant_key == tenant_key, Membership.role == "owner").limit(1))
    return found or ""


def audit(db: Session, tenant_key: str) -> list[AuditEvent]:
    """What was done to a studio, newest first."""
    return list(db.scalars(select(AuditEvent).where(AuditEvent.target == tenant_key).order_by(AuditEvent.id.desc()).limit(AUDIT_SHOWN)))
