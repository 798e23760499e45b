from __future__ import annotations

import asyncio

import pytest

from roomtone_tenancy import errors
from roomtone_tenancy.asgi import TenancyMiddleware
from roomtone_tenancy.resolvers import Chain


@pytest.fixture
def tenancy(sqlite_site):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "a", domains=["a.test"])
    return tenancy


@pytest.fixture
def serve(tenancy):
    """Runs one connection through the middleware and returns what the application saw and what was sent."""

    def serve(scope, *, fail=False):
        seen, sent = [], []

        async def application(inner, receive, send):
            try:
                key = tenancy.current.key
            except errors.NoTenant:
                key = None
            seen.append((inner["type"], key))
            if fail:
                raise KeyError("application")

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        asyncio.run(TenancyMiddleware(application, tenancy, Chain(tenancy))(scope, receive, send))
        return seen, sent

    return serve


def websocket(host, **more):
    return {"type": "websocket", "path": "/", "headers": [(b"host", host.encode())], "client": None, **more}


def test_the_life_of_the_server_is_passed_on(serve):
    assert serve({"type": "lifespan"}) == ([("lifespan", None)], [])


def test_a_websocket_has_its_tenant(serve):
    assert serve(websocket("a.test"))[0] == [("websocket", "a")]


def test_a_refused_websocket_is_closed_with_a_reason(serve):
    seen, sent = serve(websocket("nobody.test"))

    assert seen == []
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "unknown"}]


def test_a_server_that_can_gives_a_refused_websocket_a_status(sqlite_site, tenancy, serve):
    sqlite_site.register(tenancy, "new", domains=["new.test"])

    _, sent = serve(websocket("new.test", extensions={"websocket.http.response": {}}))

    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"retry-after"]) == (503, b"5")


def test_an_exception_of_the_application_passes_through(serve):
    with pytest.raises(KeyError, match="application"):
        serve(websocket("a.test"), fail=True)
