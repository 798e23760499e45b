"""ASGI: a tenant's scope around each request and each websocket. Needs no framework and no server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from .errors import TenancyError
from .gate import Gate, refusal_of
from .refusal import Page, Reason, Refusal, page
from .resolvers import Chain, Headers, RequestFacts
from .tenancy import Tenancy
from .tenant import Tenant

Message = MutableMapping[str, Any]  # ASGI's own type
Connection = MutableMapping[str, Any]  # what ASGI calls the scope
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Connection, Receive, Send], Awaitable[None]]
Values = Callable[[Connection], Mapping[str, Any]]
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455 section 7.4.1 and its registry


def nothing(_connection: Connection) -> Mapping[str, Any]:
    """No session, no claims."""
    return {}


class TenancyMiddleware:
    """Finds the tenant of each request and websocket, refuses what its state refuses, and awaits the application in the tenant's scope.

    The scope lasts until the application returns, streamed bodies included. Everything else (lifespan) is passed on. The catalog is
    asked in a thread, so that a slow one does not stop the loop.

    Args:
        chain: what finds the tenant.
        exempt: paths that are not looked at, such as a health check's: no tenant, no catalog.
        stays_open: as in `Gate`; it is given the path.
        on_refusal: answers a refused request, given ASGI's scope; None, or returning None, gives the page of `refusal.page`.
        session, claims: what `SessionValue` and `Claim` read, given ASGI's scope.
    """

    def __init__(
        self,
        app: Application,
        tenancy: Tenancy,
        chain: Chain,
        *,
        exempt: Collection[str] = (),
        stays_open: Callable[[Tenant, str], bool] | None = None,
        on_refusal: Callable[[Refusal, Connection], Page | None] | None = None,
        session: Values = nothing,
        claims: Values = nothing,
    ) -> None:
        self._app, self._tenancy, self._exempt = app, tenancy, frozenset(exempt)
        self._gate = Gate(chain=chain, stays_open=stays_open) if stays_open else Gate(chain=chain)
        self._on_refusal, self._session, self._claims = on_refusal, session, claims

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request or one websocket."""
        if scope["type"] not in ("http", "websocket") or path_of(scope) in self._exempt:
            return await self._app(scope, receive, send)
        facts = facts_of(scope, session=self._session, claims=self._claims)
        decision = await asyncio.to_thread(self._gate.decide, facts, route=facts.path)
        if isinstance(decision, Refusal):
            return await self._refuse(decision, scope, receive, send)
        if decision.tenant is None:
            return await self._app(scope, receive, send)
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            with self._tenancy.use(decision.tenant):
                await self._app(self._mounted(scope), receive, watched)
        except TenancyError as error:
            refusal = refusal_of(error, host=facts.host, tenant=decision.tenant)
            if begun or refusal is None:
                raise
            await self._refuse(refusal, scope, receive, send)

    def _mounted(self, scope: Connection) -> Connection:
        """The part of the path that names a tenant as part of the root; ASGI keeps the whole path beside it."""
        root = self._gate.chain.root(path_of(scope))
        return {**scope, "root_path": scope.get("root_path", "").rstrip("/") + root} if root else scope

    async def _refuse(self, refusal: Refusal, scope: Connection, receive: Receive, send: Send) -> None:
        prefix = ""
        if scope["type"] == "websocket":
            await receive()  # websocket.connect: nothing may be sent before it
            if "websocket.http.response" not in (scope.get("extensions") or {}):
                code = TRY_AGAIN_LATER if refusal.reason in (Reason.PREPARING, Reason.BUSY) else POLICY_VIOLATION
                await send({"type": "websocket.close", "code": code, "reason": str(refusal.reason)})
                return
            prefix = "websocket."
        accept = ",".join(_headers(scope).all("accept"))
        answer = (self._on_refusal(refusal, scope) if self._on_refusal else None) or page(refusal, accept)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": f"{prefix}http.response.start", "status": answer.status, "headers": headers})
        await send({"type": f"{prefix}http.response.body", "body": b"" if scope.get("method") == "HEAD" else answer.body})


def facts_of(scope: Connection, *, session: Values = nothing, claims: Values = nothing) -> RequestFacts:
    """What resolvers may know of an ASGI request."""
    headers = _headers(scope)
    return RequestFacts(
        host=",".join(headers.all("host")),  # two of them are no host name
        path=path_of(scope) or "/",
        method=scope.get("method", "GET"),
        headers=headers,
        peer=scope["client"][0] if scope.get("client") else None,
        session=lambda: session(scope),
        claims=lambda: claims(scope),
        request=scope,
    )


def path_of(scope: Connection) -> str:
    """The path below the application's root. Source: ASGI 3.0, "WSGI compatibility": the path holds the root too."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path


def _headers(scope: Connection) -> Headers:
    return Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
