"""Flask: each request gets its tenant's scope, from before the first function to the last byte of the answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from flask import Blueprint, Flask, Request, Response, current_app, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from itsdangerous import URLSafeTimedSerializer

from .ask import LOOPBACK, AskApp, CertificateAsk
from .cli import commands_of
from .errors import TenancyError
from .gate import PASSING, Admitted, Gate, refusal_of
from .refusal import Reason, Refusal, page
from .resolvers import Chain, ForwardedHeaders, RequestFacts, Resolver, SessionValue, Trace
from .tenancy import Tenancy
from .tenant import Tenant
from .wsgi import body_of, facts_of, mount, nothing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

View = TypeVar("View", bound=Callable[..., Any])
EXTENSION = "roomtone_tenancy"
_MARK, _FOUND, _BLOCK = "_roomtone_tenancy_route", "_roomtone_tenancy_found", "_roomtone_tenancy_block"
_OWN_CONTEXT = "roomtone_tenancy.own_context"


def no_tenant(view: View) -> View:
    """Mark a view that works on any host and is not looked at: no tenant, no catalog. A health check, for one."""
    setattr(view, _MARK, "none")
    return view


def central_only(view: View) -> View:
    """Mark a view that only central hosts have: 404 on a tenant's."""
    setattr(view, _MARK, "central")
    return view


def tenant_only(view: View) -> View:
    """Mark a view that only tenants have: 404 on central hosts."""
    setattr(view, _MARK, "tenant")
    return view


def certificate_pages(ask: CertificateAsk, *, path: str = "/tls/ask", trusted: Iterable[str] = LOOPBACK) -> Blueprint:
    """The page that an on-demand TLS server asks, `?domain=<host>`; as `AskApp`. It works on any host and needs no tenant."""
    pages, asked = Blueprint("certificates", __name__), AskApp(ask, trusted=trusted)

    @pages.get(path)
    @no_tenant
    def may() -> tuple[str, int]:
        return "", 200 if asked.answers(request.environ.get("REMOTE_ADDR") or None, request.environ.get("QUERY_STRING", "")) else 404

    return pages


class FlaskTenancy:
    """Finds each request's tenant, refuses what its state refuses, and sets `tenancy.use()` until the answer is sent.

    Create it before anything else registers `before_request` functions: Flask calls those in order.

    Args:
        resolve: resolvers in their order; none stands for `CustomDomain()`.
        central_hosts: hosts without a tenant, such as the platform's own; ports are ignored. What the catalog says of them does not count.
        on_conflict: as in `Chain`.
        forwarded: believes X-Forwarded-Host of our proxies when the tenant is found.
        on_unknown: answers a host that nobody has, given that host; None answers 404.
        on_refusal: answers a refused request; None, or returning None, gives the page of `refusal.page`.
        stays_open: as in `Gate`; it is given the endpoint.
        exempt: endpoints that work on any host without a tenant; `no_tenant` marks them in place.
        claims: what `Claim` reads, given the request: a token's content that the application has verified.
        bind_sessions: signs the cookie session for its host and its tenant, so that one carried to another tenant is none there.

    Effects:
        Wraps `app.wsgi_app`, adds `flask tenancy ...`, and adds error handlers for `gate.PASSING`, which the app may replace: a state
        that changed or a trouble that passes while the request is served is answered like a refusal.
    """

    def __init__(
        self,
        app: Flask,
        tenancy: Tenancy,
        *,
        resolve: Sequence[Resolver] = (),
        central_hosts: Collection[str] = (),
        on_conflict: Literal["refuse", "first_wins"] = "refuse",
        forwarded: ForwardedHeaders | None = None,
        on_unknown: Callable[[str], ResponseReturnValue] | None = None,
        on_refusal: Callable[[Refusal], ResponseReturnValue | None] | None = None,
        stays_open: Callable[[Tenant, str], bool] | None = None,
        exempt: Collection[str] = (),
        claims: Callable[[Request], Mapping[str, Any]] | None = None,  # a token's own values
        bind_sessions: bool = False,
    ) -> None:
        if bind_sessions and any(isinstance(resolver, SessionValue) for resolver in resolve):
            raise ValueError("A session that names the tenant cannot be bound to it: leave out bind_sessions or SessionValue.")
        self.tenancy = tenancy
        self.chain = Chain(tenancy, resolve, central_hosts=central_hosts, on_conflict=on_conflict, forwarded=forwarded)
        self._gate = Gate(chain=self.chain, stays_open=stays_open) if stays_open else Gate(chain=self.chain)
        self._on_unknown, self._on_refusal, self._exempt, self._claims = on_unknown, on_refusal, frozenset(exempt), claims
        app.extensions[EXTENSION] = self
        app.before_request(self._enter)
        app.teardown_request(self._leave)
        for error in PASSING:
            app.register_error_handler(error, self._answer_error)
        app.wsgi_app = _OwnContext(app.wsgi_app, self.chain)  # type: ignore[method-assign]  # as Flask documents for middleware
        app.cli.add_command(commands_of(tenancy))
        if bind_sessions:
            app.session_interface = BoundSessions()

    def tenant_of_request(self) -> Tenant | None:
        """The tenant that the request is for, whatever its state; None on a central host, and where nobody can be found."""
        found = self.found()
        return None if isinstance(found, Refusal) else found.tenant

    def explain(self) -> Trace:
        """Why the request is for this tenant."""
        return self.chain.explain(self._facts())

    def found(self) -> Admitted | Refusal:
        """What the chain says of the request; asked once in each."""
        own = g._get_current_object()
        found: Admitted | Refusal | None = own.get(_FOUND)
        if found is None:
            found = self._gate.find(self._facts())
            setattr(own, _FOUND, found)
        return found

    def _facts(self) -> RequestFacts:
        claims, asked = self._claims, _request()
        return facts_of(
            asked.environ,
            session=lambda _: session,
            claims=nothing if claims is None else lambda _: claims(asked),
            request=asked,
        )

    def _enter(self) -> ResponseReturnValue | None:
        asked = _request()
        endpoint = asked.endpoint or ""
        mark = getattr(current_app.view_functions.get(endpoint), _MARK, None)
        if mark == "none" or endpoint in self._exempt:
            return None
        decision = self.found()
        if isinstance(decision, Admitted) and decision.tenant is not None:
            block = self.tenancy.use(decision.tenant)
            block.__enter__()
            setattr(g, _BLOCK, block)
            decision = self._gate.judge(decision.tenant, method=asked.method, host=asked.environ.get("HTTP_HOST", ""), route=endpoint)
        if isinstance(decision, Refusal):
            return self._answer(decision)
        if mark is not None and (mark == "tenant") != (decision.tenant is not None):
            return self._answer(Refusal(reason=Reason.UNKNOWN, host=request.host, tenant=decision.tenant))
        return None

    def _leave(self, _: BaseException | None) -> None:
        # A request that came through wsgi_app has a context of its own, which ends after the last byte of a streamed answer.
        block: AbstractContextManager[Tenant] | None = g.pop(_BLOCK, None)
        if block is not None and _OWN_CONTEXT not in request.environ:
            block.__exit__(None, None, None)

    def _answer(self, refusal: Refusal) -> ResponseReturnValue:
        if refusal.reason is Reason.UNKNOWN and refusal.tenant is None and self._on_unknown is not None:
            return self._on_unknown(refusal.host)
        given = self._on_refusal(refusal) if self._on_refusal else None
        if given is not None:
            return given
        answer = page(refusal, request.headers.get("Accept", ""))
        return Response(answer.body, answer.status, answer.headers)

    def _answer_error(self, error: TenancyError) -> ResponseReturnValue:
        refusal = refusal_of(error, host=request.host, tenant=self.tenant_of_request())
        if refusal is None:
            raise error
        return self._answer(refusal)


def _request() -> Request:
    """The request itself: each look through Flask's proxy costs a microsecond."""
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]  # werkzeug's documented way to what a proxy stands for


class BoundSessions(SecureCookieSessionInterface):
    """Cookie sessions signed for their host and their tenant. One that was carried elsewhere, even by a cookie that several hosts
    share, is no session there; it is neither read nor deleted. Without `FlaskTenancy` on the app, for the host alone.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The request's session; without a cookie nobody is asked for the tenant."""
        if app.secret_key and not request.cookies.get(self.get_cookie_name(app)):
            return self.session_class()
        return super().open_session(app, request)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The signer of the request's host and tenant."""
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            extension: FlaskTenancy | None = app.extensions.get(EXTENSION)
            tenant = extension.tenant_of_request() if extension else None
            serializer.salt = f"{self.salt}:{request.host.lower()}:{tenant.id if tenant else ''}".encode()
        return serializer


class _OwnContext:
    """Runs the application, and then its answer's iterator, in a context of their own: what is set there is gone with the request."""

    def __init__(self, app: WSGIApplication, chain: Chain) -> None:
        self._app, self._chain = app, chain

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        mount(environ, self._chain)
        environ[_OWN_CONTEXT] = True
        context = copy_context()
        return body_of(environ, context, context.run(self._app, environ, start_response))
