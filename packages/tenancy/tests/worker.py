"""Run by the crash tests in a process of its own: does one verb and kills itself at the given point."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from roomtone_tenancy import KeyRing, Server, Tenancy, faults
from roomtone_tenancy.life.stores import FolderStore


def die_at(point: str) -> None:
    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    faults.point = reached


def main(order: dict[str, str]) -> None:
    die_at(order["point"])
    catalog = create_engine(order["catalog_url"])
    tenancy = Tenancy(
        catalog,
        servers=[Server("main", order["server_url"])],
        migrations=Path(order["migrations"]),
        keys=KeyRing.from_text(order["keys"]),
        backups=FolderStore(Path(order["backups"])),
        seed=lambda session, tenant: session.execute(text("INSERT INTO artist (name) VALUES ('seeded')")),
    )
    match order["verb"]:
        case "migrate":
            tenancy.migrate()
        case "refill":
            tenancy.spares.refill(1)
        case "register":
            with Session(catalog) as session, session.begin():
                tenancy.register(session, "acme")
        case verb:
            getattr(tenancy, verb)("acme")


main(ORDER)  # noqa: F821 -- given by run_path
