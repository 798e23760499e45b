"""The tenant in scope: one context variable for each `Tenancy`, so that two in a process share nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import NoTenant, TenantSwitch
from .tenant import Tenant


class Scope:
    """Which tenant this thread or task works for."""

    def __init__(self) -> None:
        self._tenant: ContextVar[Tenant | None] = ContextVar("roomtone_tenant", default=None)

    def peek(self) -> Tenant | None:
        """The tenant in scope, or None."""
        return self._tenant.get()

    def current(self) -> Tenant:
        """The tenant in scope.

        Raises:
            NoTenant: there is none.
        """
        tenant = self._tenant.get()
        if tenant is None:
            raise NoTenant
        return tenant

    @contextmanager
    def enter(self, tenant: Tenant, *, allow_switch: bool) -> Iterator[Tenant]:
        """Work for this tenant until the block ends, then for whichever it was before.

        Raises:
            TenantSwitch: another tenant is in scope and a switch was not allowed.
        """
        before = self._tenant.get()
        if before is not None and before.id != tenant.id and not allow_switch:
            raise TenantSwitch(current=before.key, wanted=tenant.key)
        self._tenant.set(tenant)
        try:
            yield tenant
        finally:
            # Not reset(token): a generator body may be closed in another context than it was started in.
            self._tenant.set(before)
