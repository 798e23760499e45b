"""A pytest plugin for hosts. In the root `conftest.py`:

pytest_plugins = ["roomtone_tenancy.testing.fixtures"]

@pytest.fixture(scope="session")
def tenancy_sandbox():
    with sandbox(SERVER_URL, make_tenancy, name="myapp") as made:
        yield made
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..tenancy import Tenancy
from ..tenant import Tenant
from .clock import FakeClock
from .leaks import LeakDetector
from .sandbox import Sandbox


@pytest.fixture(scope="session")
def tenancy_sandbox() -> Sandbox:
    """To be replaced by the host: `with sandbox(...) as made: yield made`."""
    raise pytest.UsageError("Define a session-scoped fixture 'tenancy_sandbox' that yields what roomtone_tenancy.testing.sandbox() gives.")


@pytest.fixture(scope="session")
def tenancy(tenancy_sandbox: Sandbox) -> Tenancy:
    """The tenancy of this run."""
    return tenancy_sandbox.tenancy


@pytest.fixture
def tenancy_clock(tenancy_sandbox: Sandbox) -> Iterator[FakeClock]:
    """The sandbox's clock, put back after the test."""
    yield tenancy_sandbox.clock
    tenancy_sandbox.clock.reset()


@pytest.fixture
def tenants(tenancy_sandbox: Sandbox) -> Iterator[tuple[Tenant, Tenant]]:
    """Two tenants of this test alone, each with the domain `<key>.test`."""
    with tenancy_sandbox.pair() as pair:
        yield pair


@pytest.fixture
def leak_detector(tenancy: Tenancy, tenants: tuple[Tenant, Tenant]) -> LeakDetector:
    """Runs work for this test's two tenants, in turn and at once; fails on any crossing."""
    return LeakDetector(tenancy, tenants)
