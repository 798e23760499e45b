"""A minimal Flask app with and without tenants, each behind gunicorn in a process of its own: `python -m benchmarks.tenancy_served WAY`."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.orm import Session

from benchmarks.tenancy_fleet import Fleet
from benchmarks.tenancy_things import QUERY
from roomtone_tenancy import Tenancy
from roomtone_tenancy.flask import FlaskTenancy

HOST = "warm.example"


def with_tenancy(tenancy: Tenancy) -> Flask:
    """The app that finds the tenant by its host."""
    app = Flask("with")
    FlaskTenancy(app, tenancy, central_hosts=[])

    @app.get("/")
    def show() -> str:
        with tenancy.session() as db, db.begin():
            return db.scalars(QUERY).one().name

    return app


def without(engine: Engine) -> Flask:
    """The app that knows one database."""
    app = Flask("without")

    @app.get("/")
    def show() -> str:
        with Session(engine) as db, db.begin():
            return db.scalars(QUERY).one().name

    return app


@contextmanager
def served(fleet: Fleet, url: str) -> Iterator[Mapping[str, Callable[[], None]]]:
    """Both apps on loopback; gives for each what makes one request on a kept connection.

    Args:
        url: of the tenant's database, for the app without tenants.
    """
    with ExitStack() as stack:
        yield {way: stack.enter_context(_server(way, text)) for way, text in (("with", fleet.to_text()), ("without", url))}


@contextmanager
def _server(way: str, text: str) -> Iterator[Callable[[], None]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as gunicorn does with those that it opens itself
        command = [sys.executable, "-m", __name__, way, str(listener.fileno())]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, pass_fds=[listener.fileno()])
        connection = http.client.HTTPConnection(*listener.getsockname(), timeout=30)

        def visit() -> None:
            connection.request("GET", "/", headers={"Host": HOST})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"one")

        try:
            assert process.stdin is not None
            process.stdin.write(text)
            process.stdin.close()
            yield visit
        finally:
            connection.close()
            process.terminate()
            process.wait(30)


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, descriptor: str, make: Callable[[], Flask]) -> None:
        self._descriptor, self._make = descriptor, make
        super().__init__()

    def load_config(self) -> None:
        values = {"bind": f"fd://{self._descriptor}", "worker_class": "gthread", "threads": 1, "keepalive": 30, "loglevel": "error"}
        for name, value in (values | {"control_socket_disable": True}).items():
            self.cfg.set(name, value)

    def load(self) -> Any:  # Any: a WSGI callable
        return self._make()


def main() -> None:
    """Serve the app of this way on the descriptor; what it needs comes through standard input."""
    way, descriptor = sys.argv[1:]
    text = sys.stdin.read()
    makers = {"with": lambda: with_tenancy(Fleet.of(text).tenancy()), "without": lambda: without(create_engine(make_url(text)))}
    _Server(descriptor, makers[way]).run()


if __name__ == "__main__":
    main()
