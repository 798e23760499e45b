"""The tenant in scope: one context variable for each `Tenancy`, so that two in a process share nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager
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

    def enter(self, tenant: Tenant, *, allow_switch: bool) -> Block:
        """A block of work for this tenant; afterwards the scope is what it was before.

        Raises:
            TenantSwitch: on entering, when another tenant is in scope and a switch was not allowed.
        """
        return Block(self._tenant, tenant, allow_switch=allow_switch)


class Block(AbstractContextManager[Tenant]):
    """One `with` block. Not a generator: one that is dropped unfinished would end in whichever request's context collects it."""

    def __init__(self, scope: ContextVar[Tenant | None], tenant: Tenant, *, allow_switch: bool) -> None:
        self._scope, self._tenant, self._allow_switch = scope, tenant, allow_switch
        self._before: list[Tenant | None] = []

    def __enter__(self) -> Tenant:
        before = self._scope.get()
        if before is not None and before.id != self._tenant.id and not self._allow_switch:
            raise TenantSwitch(current=before.key, wanted=self._tenant.key)
        self._before.append(before)
        self._scope.set(self._tenant)
        return self._tenant

    def __exit__(self, *_: object) -> None:
        # Not reset(token): a generator's body may be closed in another context than it was started in.
        self._scope.set(self._before.pop())
