"""WSGI: a tenant's scope around each request, from the first line of the application to the last byte of its answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from .errors import TenancyError
from .gate import Gate, refusal_of
from .refusal import Page, Refusal, page
from .resolvers import Chain, Headers, RequestFacts
from .tenancy import Tenancy
from .tenant import Tenant

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WHOLE_PATH = "roomtone_tenancy.path"
Values = Callable[[Any], Mapping[str, Any]]  # of whatever the framework's request is


def nothing(_request: Any) -> Mapping[str, Any]:
    """No session, no claims."""
    return {}


class TenancyMiddleware:
    """Finds each request's tenant, refuses what its state refuses, and calls the application in the tenant's scope.

    The application and its answer's iterator run in a context of their own, so the scope lasts as long as the body and nothing of it is
    left in the server's thread: not after an exception, nor when a client goes away and the body is never read to its end.

    Args:
        chain: what finds the tenant.
        exempt: paths that are not looked at, such as a health check's: no tenant, no catalog.
        stays_open: as in `Gate`; it is given the path.
        on_refusal: answers a refused request, given the environ; None, or returning None, gives the page of `refusal.page`.
        session, claims: what `SessionValue` and `Claim` read, given the environ.
    """

    def __init__(
        self,
        app: WSGIApplication,
        tenancy: Tenancy,
        chain: Chain,
        *,
        exempt: Collection[str] = (),
        stays_open: Callable[[Tenant, str], bool] | None = None,
        on_refusal: Callable[[Refusal, WSGIEnvironment], Page | None] | None = None,
        session: Values = nothing,
        claims: Values = nothing,
    ) -> None:
        self._app, self._tenancy, self._exempt = app, tenancy, frozenset(exempt)
        self._gate = Gate(chain=chain, stays_open=stays_open) if stays_open else Gate(chain=chain)
        self._on_refusal, self._session, self._claims = on_refusal, session, claims

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        if path in self._exempt:
            return self._app(environ, start_response)
        decision = self._gate.decide(facts_of(environ, session=self._session, claims=self._claims), route=path)
        if isinstance(decision, Refusal):
            return self._refuse(decision, environ, start_response)
        tenant = decision.tenant
        if tenant is None:
            return self._app(environ, start_response)
        mount(environ, self._gate.chain)
        context, begun = copy_context(), False

        def watched(*arguments: Any) -> Any:  # start_response as the server gave it
            nonlocal begun
            begun = True
            return start_response(*arguments)

        def serve() -> Iterable[bytes]:
            self._tenancy.use(tenant).__enter__()  # never left: the context ends with the request, and nothing else runs in it
            return self._app(environ, watched)

        try:
            return body_of(environ, context, context.run(serve))
        except TenancyError as error:
            refusal = refusal_of(error, host=environ.get("HTTP_HOST", ""), tenant=tenant)
            if begun or refusal is None:
                raise
            return self._refuse(refusal, environ, start_response)

    def _refuse(self, refusal: Refusal, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = (self._on_refusal(refusal, environ) if self._on_refusal else None) or page(refusal, environ.get("HTTP_ACCEPT", ""))
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(headers.items()))
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]


def body_of(environ: WSGIEnvironment, context: Context, chunks: Iterable[bytes]) -> Iterable[bytes]:
    """An answer that is iterated in its request's context; a file is left to the server, which has faster ways to send it."""
    files = environ.get("wsgi.file_wrapper")
    return chunks if isinstance(files, type) and isinstance(chunks, files) else Body(context, chunks)


class Body:
    """An answer's iterator, run in its request's own context."""

    def __init__(self, context: Context, chunks: Iterable[bytes]) -> None:
        self._context, self._chunks = context, chunks
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._context.run(self._next)

    def _next(self) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._chunks)
        return next(self._iterator)

    def close(self) -> None:
        """End it, read to its end or not."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            self._context.run(close)


def facts_of(environ: WSGIEnvironment, *, session: Values = nothing, claims: Values = nothing, request: Any = None) -> RequestFacts:
    """What resolvers may know of a WSGI request.

    Args:
        request: the framework's own; None for the environ.
    """
    return RequestFacts(
        host=environ.get("HTTP_HOST", ""),
        path=environ.get(WHOLE_PATH) or environ.get("PATH_INFO") or "/",
        method=environ.get("REQUEST_METHOD", "GET"),
        headers=_EnvironHeaders(environ),
        peer=environ.get("REMOTE_ADDR") or None,
        session=lambda: session(environ),
        claims=lambda: claims(environ),
        request=environ if request is None else request,
    )


class _EnvironHeaders(Headers):
    """Read when they are asked for, which most requests' never are."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ

    def all(self, name: str) -> list[str]:
        """As `Headers.all`; the server has joined several values."""
        value = None if "_" in name else self._environ.get(f"HTTP_{name.upper().replace('-', '_')}")
        return [] if value is None else [value]


def mount(environ: WSGIEnvironment, chain: Chain) -> None:
    """Move the part of the path that names a tenant into SCRIPT_NAME, so that the application routes and links without it."""
    path = environ.get("PATH_INFO", "")
    root = chain.root(path)
    if root:
        environ[WHOLE_PATH] = path
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "").rstrip("/") + root
        environ["PATH_INFO"] = path[len(root) :]
