"""A catalog and tenants for one run of tests. What a run that was killed left behind, the next one removes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from .. import schema
from ..errors import OperationBusy
from ..key import random_text
from ..tenancy import Tenancy
from ..tenant import Tenant
from .clock import FakeClock
from .leftovers import ground_of

REFILL_EVERY_S = 0.05
Make = Callable[[Engine, str, FakeClock], Tenancy]


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Tenants of one run of tests.

    Attributes:
        catalog: the control database of this run alone; the host may add its own tables.
        clock: what `make` gave the tenancy, if it did.
    """

    tenancy: Tenancy
    catalog: Engine
    clock: FakeClock

    @contextmanager
    def tenant(self, key: str | None = None) -> Iterator[Tenant]:
        """A new tenant, active, with the domain `<key>.test`; gone afterwards, with all that it wrote."""
        key = key or f"test-{random_text(8)}"
        with temporary_tenant(self.tenancy, self.catalog, key, domains=(f"{key}.test",)) as tenant:
            yield tenant

    @contextmanager
    def pair(self) -> Iterator[tuple[Tenant, Tenant]]:
        """Two new tenants: a test with only one cannot see a leak."""
        with self.tenant() as one, self.tenant() as other:
            yield one, other


@contextmanager
def sandbox(server_url: str, make: Make, *, name: str = "tests", spares: int = 0) -> Iterator[Sandbox]:
    """A sandbox for the length of the block. Runs at the same time, as those of pytest-xdist's workers, do not meet.

    Args:
        server_url: of a role that may create databases and roles, or `sqlite:///folder`; the server may be shared.
        make: the host's own tenancy, from an engine on the catalog, `server_url`, and a clock.
        name: of the host, a-z, 0-9 and '_', 20 at most: leftovers of this name are removed, others' are not.
        spares: databases that a thread keeps ready, so that a test does not wait for its own; 4 are enough for pairs.

    Effects:
        Creates a database (or folder) `roomtone_<name>_…` for the catalog. At the end, and at the start for each run that ended
        without, drops it with every database and role of its tenants.
    """
    with ExitStack() as last:
        ground = last.enter_context(ground_of(server_url, name))
        catalog = create_engine(ground.catalog_url)
        last.callback(catalog.dispose)
        schema.upgrade(catalog)
        clock = FakeClock()
        tenancy = make(catalog, ground.server_url, clock)
        last.callback(tenancy.dispose)
        if spares:
            last.enter_context(_kept_filled(tenancy, spares))
        yield Sandbox(tenancy=tenancy, catalog=catalog, clock=clock)


@contextmanager
def _kept_filled(tenancy: Tenancy, spares: int) -> Iterator[None]:
    """Make spares at once, and then while tests use them up."""
    tenancy.spares.refill(spares)
    stop = threading.Event()

    def refill() -> None:
        while not stop.wait(REFILL_EVERY_S):
            with suppress(OperationBusy):
                tenancy.spares.refill(spares)

    thread = threading.Thread(target=refill, name="spares for tests", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def temporary_tenant(tenancy: Tenancy, catalog: Engine, key: str | None = None, *, domains: tuple[str, ...] = ()) -> Iterator[Tenant]:
    """An active tenant for the length of the block, under a new key if none is given; deleted afterwards."""
    key = key or f"test-{random_text(8)}"
    with Session(catalog) as session, session.begin():
        tenancy.register(session, key, domains=domains)
    try:
        yield tenancy.provision(key)
    finally:
        if tenancy.exists(key):
            tenancy.delete(key)
