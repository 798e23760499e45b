"""The ASGI middleware behind a real server: several clients at once, each with its tenant to the last byte."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn
from sqlalchemy import select

from roomtone_tenancy import errors
from roomtone_tenancy.asgi import TenancyMiddleware
from roomtone_tenancy.resolvers import Chain

CLIENTS = 6
WAIT_S = 60


class Application:
    """Streams the tenant's artists in three parts, and goes on only when all clients have had the first."""

    def __init__(self, tenancy, site):
        self.tenancy, self.site, self.arrived, self.everybody = tenancy, site, 0, asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await self._send(send, self._names())
        self.arrived += 1
        if self.arrived == CLIENTS:
            self.everybody.set()
        async with asyncio.timeout(WAIT_S):
            await self.everybody.wait()
        await self._send(send, await asyncio.create_task(self._in_a_task()))
        await self._send(send, await asyncio.to_thread(self._names), more=False)

    async def _in_a_task(self):
        return self._names()

    def _names(self):
        with self.tenancy.session() as session:
            return f"{self.tenancy.current.key}:{','.join(session.scalars(select(self.site.Artist.name)))} "

    async def _send(self, send, text, *, more=True):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


@pytest.fixture
def serve(site):
    """Serves two tenants on a port of this machine, which it returns."""
    tenancy = site.tenancy()
    for key in ("a", "b"):
        site.make(tenancy, key, domains=[f"{key}.test"])
        with tenancy.use(key), tenancy.session() as session:
            session.add(site.Artist(name=f"artist of {key}"))
            session.commit()
    listener = socket.create_server(("127.0.0.1", 0))
    application = TenancyMiddleware(Application(tenancy, site), tenancy, Chain(tenancy, central_hosts=["platform.test"]))
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", ws="none", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield tenancy, listener.getsockname()[1]
    server.should_exit = True
    thread.join(WAIT_S)
    listener.close()
    assert not thread.is_alive()


def get(port, host):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_concurrent_streams_of_two_tenants_have_their_own_rows_to_the_last_byte(serve):
    tenancy, port = serve
    hosts = ["a.test", "b.test"] * (CLIENTS // 2)

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda host: get(port, host), hosts))

    assert answers == [(200, f"{host[0]}:artist of {host[0]} " * 3) for host in hosts]
    with pytest.raises(errors.NoTenant):
        tenancy.current  # noqa: B018 -- what it raises is looked at


def test_a_host_of_nobody_and_a_suspended_tenant_are_answered_by_the_middleware(serve, site):
    tenancy, port = serve
    site.change(tenancy.suspend, "a", reason="unpaid")

    assert get(port, "nobody.test")[0] == 404
    assert get(port, "a.test")[0] == 403
