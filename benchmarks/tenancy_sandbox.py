"""A tenant for one test: what a test waits for before it begins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from sqlalchemy import Engine

from benchmarks.measure import in_turns
from benchmarks.report import Figure
from benchmarks.tenancy_fleet import Fleet
from roomtone_tenancy import KeyRing, Server, Tenancy
from roomtone_tenancy.testing import FakeClock, Sandbox, sandbox

SPARES = 4


def measure(fleet: Fleet, runs: int) -> tuple[list[Figure], list[str]]:
    """Tenants of a sandbox that keeps spares, and of one that does not; with what deleting them takes."""

    def make(catalog: Engine, server_url: str, clock: FakeClock) -> Tenancy:
        return Tenancy(catalog, servers=[Server("test", server_url)], migrations=fleet.revisions, keys=KeyRing.generate(), clock=clock)

    with (
        sandbox(fleet.server_url, make, name="bench", spares=SPARES) as filled,
        sandbox(fleet.server_url, make, name="bench") as plain,
    ):
        timings = in_turns({"spares": _tenant(filled), "clone": _tenant(plain)}, runs=runs)
        whole = in_turns({"spares": _tenant_and_end(filled)}, runs=runs)["spares"]
    return [
        Figure(what="a tenant for a test, with spares", ours=timings["spares"], bar=50, unit="ms", peer="without", theirs=timings["clone"])
    ], [f"One test after another without a pause, deletion included, takes {whole} for its tenant; the server does not sync."]


def _tenant(made: Sandbox) -> Callable[[], Callable[[], object]]:
    def begin() -> Callable[[], object]:
        test = ExitStack()
        test.enter_context(made.tenant())
        return test.close

    return begin


def _tenant_and_end(made: Sandbox) -> Callable[[], None]:
    def test() -> None:
        with made.tenant():
            pass

    return test
