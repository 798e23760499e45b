"""Run by tests in a process of its own: one runner, which may kill itself at the n-th time that it comes to a point.

On a leash it kills itself as soon as it has migrated so many tenants; what its other threads are at by then is left half done.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import create_engine

from roomtone_tenancy import KeyRing, Server, Tenancy, faults
from roomtone_tenancy.fleet.rollout import Rollout


def die_at(point: str, times: int) -> None:
    left = [times]

    def reached(name: str) -> None:
        if name == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    faults.point = reached


def main(order: dict[str, object]) -> None:
    leash = order["leash"]
    die_at("fleet.applied" if leash else order["point"], leash or order["times"])
    catalog = create_engine(order["catalog_url"])
    tenancy = Tenancy(
        catalog, servers=[Server("main", order["server_url"])], migrations=Path(order["migrations"]), keys=KeyRing.from_text(order["keys"])
    )
    tenancy.fleet.run(Rollout(**order["rollout"]))
    tenancy.dispose()
    catalog.dispose()


main(ORDER)  # noqa: F821 -- given by run_path
