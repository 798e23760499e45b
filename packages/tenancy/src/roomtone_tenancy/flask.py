"""Flask: the request's host chooses the tenant, for the request and no longer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

from flask import Flask, Response, abort, g, request
from flask.typing import ResponseReturnValue

from .errors import BadHost, TenantReadOnly, TenantUnavailable, UnknownHost
from .lifecycle import TenantState
from .resolve import normalise_host
from .tenancy import Tenancy
from .tenant import Tenant

RETRY_AFTER_S = 5
_SCOPE = "_roomtone_tenancy_scope"


class FlaskTenancy:
    """Sets `tenancy.use()` before each request and leaves it after, whatever happened.

    Create it before anything else registers `before_request` functions: Flask calls those in order.

    Args:
        central_hosts: hosts without a tenant, such as the platform's own; ports are ignored.
        on_unknown: answers a host that nobody has, given that host; None answers 404.
        exempt: endpoints that work on any host without a tenant, such as a health check.

    Effects:
        Adds error handlers, which the app may replace: `TenantUnavailable` gives 503 with Retry-After while the tenant is
        made, else 403; `TenantReadOnly` gives 403.
    """

    def __init__(
        self,
        app: Flask,
        tenancy: Tenancy,
        *,
        central_hosts: Collection[str],
        on_unknown: Callable[[str], ResponseReturnValue] | None = None,
        exempt: Collection[str] = (),
    ) -> None:
        self.tenancy = tenancy
        self._central = frozenset(map(normalise_host, central_hosts))
        self._on_unknown, self._exempt = on_unknown, frozenset(exempt)
        app.extensions["roomtone_tenancy"] = self
        app.before_request(self._enter)
        app.teardown_request(self._leave)
        app.register_error_handler(TenantUnavailable, _unavailable)
        app.register_error_handler(TenantReadOnly, _read_only)

    def tenant_of_request(self) -> Tenant | None:
        """The tenant that the request's host means; None on a central host.

        Raises:
            UnknownHost: nobody's host. `X-Forwarded-Host` counts only if the app itself trusts its proxy (Werkzeug's ProxyFix).
        """
        try:
            if normalise_host(request.host) in self._central:
                return None
        except BadHost as error:
            raise UnknownHost(request.host) from error
        return self.tenancy.resolve(request.host)

    def _enter(self) -> ResponseReturnValue | None:
        if request.endpoint in self._exempt:
            return None
        try:
            tenant = self.tenant_of_request()
        except UnknownHost:
            if self._on_unknown is None:
                abort(404)
            return self._on_unknown(request.host)
        if tenant is not None:
            scope = self.tenancy.use(tenant)
            scope.__enter__()
            setattr(g, _SCOPE, scope)
        return None

    def _leave(self, _: BaseException | None) -> None:
        scope: AbstractContextManager[Any] | None = g.pop(_SCOPE, None)  # whatever the block gives is not used
        if scope is not None:
            scope.__exit__(None, None, None)


def _unavailable(error: TenantUnavailable) -> Response:
    if error.state in (TenantState.REQUESTED, TenantState.PROVISIONING):
        return Response("This site is being prepared.", 503, {"Retry-After": str(RETRY_AFTER_S)}, mimetype="text/plain")
    return Response("This site is not available.", 403, mimetype="text/plain")


def _read_only(_: TenantReadOnly) -> Response:
    return Response("This site can only be read at the moment.", 403, mimetype="text/plain")
