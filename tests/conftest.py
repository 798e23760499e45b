"""The whole demo, up once for all tests that need more than one process: real PostgreSQL, offline Stripe, worker and web server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from studio.demo.launcher import Demo, running
from studio.demo.processes import Child, Processes
from studio.services import Services


@dataclass(frozen=True, kw_only=True)
class Up:
    """A running demo.

    Attributes:
        services: the same parts as the demo's processes use, in this process.
        processes: the demo's children, to kill and start again.
        stripe_url: the offline Stripe.
    """

    services: Services
    processes: Processes
    stripe_url: str

    def child(self, name: str) -> Child:
        """One child process: `worker`, `web` or `offline-stripe`."""
        return next(child for child in self.processes.children if child.name == name)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The demo on free ports and a temporary folder, with an embedded server of its own."""
    with _up(tmp_path_factory.mktemp("demo")) as up:
        yield up


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Another one for a module that does what the others must not feel, such as moving time."""
    with _up(tmp_path_factory.mktemp("own")) as up:
        yield up


@contextmanager
def _up(data: Path) -> Iterator[Up]:
    wanted = Demo(port=_two_free_ports(), data=data, fresh=False)
    with open(os.devnull, "w") as nowhere, running(wanted, Console(file=nowhere)) as (services, processes):  # noqa: PTH123
        yield Up(services=services, processes=processes, stripe_url=wanted.stripe_url)


def _two_free_ports() -> int:
    """A port that is free, as is the one after it."""
    for _attempt in range(50):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise RuntimeError("no two free ports next to each other were found")
