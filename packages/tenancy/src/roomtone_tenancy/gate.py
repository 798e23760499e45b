"""The one decision before each request that all adapters share: for whom it is, and whether it is let in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from .errors import (
    BadHost,
    BudgetExhausted,
    CatalogUnavailable,
    ConflictingTenants,
    ServerDisabled,
    TenancyError,
    TenantReadOnly,
    TenantUnavailable,
    UnknownTenant,
)
from .lifecycle import TenantState
from .refusal import Reason, Refusal
from .resolvers import Chain, RequestFacts
from .tenant import Tenant

RETRY_AFTER_S = 5
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
PASSING = (TenantReadOnly, TenantUnavailable, CatalogUnavailable, BudgetExhausted, ServerDisabled)
"""Errors that say nothing against the program: the state changed while the request was served, or something is short for a moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """The request is let in, for this tenant; None for nobody's, on a central host."""

    tenant: Tenant | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Admits a request or refuses it by its tenant's state.

    Args:
        stays_open: whether a route works although its tenant's state refuses the request, as a page where an unpaid bill is paid. It is
            given the tenant and the route's name (Flask's endpoint, else the path), runs in the tenant's scope, and may not count on
            the tenant's database.
    """

    chain: Chain
    stays_open: Callable[[Tenant, str], bool] = lambda _tenant, _route: False

    def decide(self, facts: RequestFacts, *, route: str) -> Admitted | Refusal:
        """Find the tenant and look at its state. Raises nothing of this package."""
        found = self.find(facts)
        if isinstance(found, Refusal) or found.tenant is None:
            return found
        return self.judge(found.tenant, method=facts.method, host=facts.host, route=route)

    def find(self, facts: RequestFacts) -> Admitted | Refusal:
        """The tenant, whatever its state."""
        try:
            return Admitted(tenant=self.chain.find(facts))
        except BadHost:
            reason = Reason.BAD_HOST
        except ConflictingTenants:
            reason = Reason.CONFLICT
        except UnknownTenant:
            reason = Reason.UNKNOWN
        except CatalogUnavailable:
            reason = Reason.BUSY
        return Refusal(reason=reason, host=facts.host, retry_after_s=_retry_after(reason))

    def judge(self, tenant: Tenant, *, method: str, host: str, route: str) -> Admitted | Refusal:
        """What the tenant's state says to a request."""
        reason = _reason(tenant.state, method)
        if reason is None or self.stays_open(tenant, route):
            return Admitted(tenant=tenant)
        return Refusal(reason=reason, host=host, tenant=tenant, retry_after_s=_retry_after(reason))


def refusal_of(error: TenancyError, *, host: str, tenant: Tenant | None) -> Refusal | None:
    """What to answer when one of `PASSING` comes out of a request for this tenant; None for a fault of the program, which is a 500."""
    if isinstance(error, (TenantReadOnly, TenantUnavailable)) and (tenant is None or error.key != tenant.key):
        return None
    match error:
        case TenantReadOnly():
            reason = Reason.READ_ONLY
        case TenantUnavailable():
            reason = _reason(TenantState(error.state), "GET") or Reason.BUSY
        case CatalogUnavailable() | BudgetExhausted() | ServerDisabled():
            reason = Reason.BUSY
        case _:
            return None
    return Refusal(reason=reason, host=host, tenant=tenant, retry_after_s=_retry_after(reason))


def _reason(state: TenantState, method: str) -> Reason | None:
    match state:
        case TenantState.ACTIVE:
            return None
        case TenantState.READ_ONLY:
            return None if method in SAFE_METHODS else Reason.READ_ONLY
        case TenantState.REQUESTED | TenantState.PROVISIONING:
            return Reason.PREPARING
        case TenantState.SUSPENDED:
            return Reason.SUSPENDED
        case TenantState.ARCHIVED | TenantState.DELETING:
            return Reason.ARCHIVED
        case TenantState.DELETED:
            return Reason.UNKNOWN
        case _:
            assert_never(state)


def _retry_after(reason: Reason) -> int | None:
    return RETRY_AFTER_S if reason in (Reason.PREPARING, Reason.BUSY) else None
