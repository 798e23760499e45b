"""Whether a studio may be written to, read, or neither: the stricter of what its subscription allows and what our staff decided."""

from __future__ import annotations

from sqlalchemy.orm import Session

from roomtone_billing import Phase
from roomtone_tenancy import Tenant, TenantState
from studio.services import Services

HOLD = "held_by_staff"  # in the tenant's metadata: payment does not lift what a person of ours has closed
MOVABLE = frozenset({TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED})


def wanted_state(phase: Phase, *, held: bool) -> TenantState:
    """The state that follows from a phase and a hold."""
    if held or phase is Phase.suspended:
        return TenantState.SUSPENDED
    return TenantState.READ_ONLY if phase is Phase.read_only else TenantState.ACTIVE


def settle(
    db: Session,
    services: Services,
    tenant_key: str,
    *,
    reason: str,
    actor: str = "system",
    phase: Phase | None = None,
    held: bool | None = None,
) -> None:
    """Move a studio to the state it should be in; nothing happens when it is there or is not yet provisioned.

    Args:
        phase: when it just changed; None reads it.
        held: a new decision of our staff; None keeps the last one.

    Effects: tenant row and life-cycle log, in the caller's control-plane transaction.
    """
    tenancy = services.database.tenancy
    if held is not None:
        tenancy.update_metadata(db, tenant_key, **{HOLD: held})
    tenant: Tenant = tenancy.tenant(tenant_key)
    if tenant.state not in MOVABLE:
        return
    phase = phase or services.billing.account(tenant_key).access(db).phase
    match wanted_state(phase, held=bool(tenant.metadata.get(HOLD)) if held is None else held):
        case TenantState.ACTIVE:
            tenancy.resume(db, tenant_key, reason=reason, actor=actor)
        case TenantState.READ_ONLY:
            tenancy.read_only(db, tenant_key, reason=reason, actor=actor)
        case _:
            tenancy.suspend(db, tenant_key, reason=reason, actor=actor)
