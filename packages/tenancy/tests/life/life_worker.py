"""Run by the kill tests in a process of its own: does or resumes one verb and kills itself at the given point."""

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


def hide_names(session: Session, _: object) -> None:
    session.execute(text("UPDATE artist SET name = name || ' (hidden)'"))


def unfit(*_: object) -> None:
    raise LookupError("it cannot be scrubbed")


def main(order: dict) -> None:
    die_at(order["point"])
    catalog = create_engine(order["catalog_url"])
    tenancy = Tenancy(
        catalog,
        servers=[Server(name, url) for name, url in order["servers"]],
        migrations=Path(order["migrations"]),
        keys=KeyRing.from_text(order["keys"]),
        backups=FolderStore(Path(order["backups"])),
        scrubs=[hide_names, unfit],
    )
    match order["verb"]:
        case "move":
            tenancy.moves.move("acme", "other")
        case "backup":
            tenancy.backups.create("acme")
        case "restore":
            tenancy.backups.restore("acme")
        case "clone" | "failing clone" if tenancy.exists("copy"):
            tenancy.clones.resume("copy")
        case "clone":
            tenancy.clones.clone("acme", "copy", scrub=["hide_names"])
        case "failing clone":
            tenancy.clones.clone("acme", "copy", scrub=["unfit"])
        case "import" if tenancy.exists("copy"):
            tenancy.exports.resume("copy")
        case "import":
            tenancy.exports.load(Path(order["file"]), "copy")
        case "export":
            tenancy.exports.create("acme", Path(order["file"]))
        case "suspend":
            with Session(catalog) as session, session.begin():
                tenancy.suspend(session, "acme", reason="unpaid")
        case "settle":
            tenancy.settle("acme")
        case "drop_retired":
            tenancy.moves.drop_retired()


main(ORDER)  # noqa: F821 -- given by run_path
