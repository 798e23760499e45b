"""Run by tests in a process of its own: one runner, which may kill itself at the n-th time that it comes to a point.

On a leash it migrates no more than so many tenants: then it says so and waits to be killed, while its other threads go on.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from sqlalchemy import create_engine

from roomtone_tenancy import KeyRing, Server, Tenancy, faults
from roomtone_tenancy.fleet.rollout import Rollout


def die_at(point: str, times: int, leash: int | None, say: object) -> None:
    left = [times]
    migrated = [0]

    def reached(name: str) -> None:
        if name == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
        if name == "fleet.applied" and leash is not None:
            migrated[0] += 1
            if migrated[0] >= leash:
                say.send("at the end of the leash")
                threading.Event().wait()

    faults.point = reached


def main(order: dict[str, object]) -> None:
    die_at(order["point"], order["times"], order.get("leash"), order.get("say"))
    catalog = create_engine(order["catalog_url"])
    tenancy = Tenancy(
        catalog, servers=[Server("main", order["server_url"])], migrations=Path(order["migrations"]), keys=KeyRing.from_text(order["keys"])
    )
    tenancy.fleet.run(Rollout(**order["rollout"]))
    tenancy.dispose()
    catalog.dispose()


main(ORDER)  # noqa: F821 -- given by run_path
