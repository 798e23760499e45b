"""Run by the tests of password rotation in a process of its own: rotates and kills itself at the given point."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import create_engine

from roomtone_tenancy import KeyRing, Server, Tenancy
from roomtone_tenancy.credentials import Credentials
from roomtone_tenancy.logins import Logins
from roomtone_tenancy.provisioners.postgresql import PostgresWorker

VERBS = {"draw": (Credentials, "draw"), "make_login": (PostgresWorker, "make_login"), "switch": (Logins, "_switch")}


def arm(point):
    moment, _, verb = point.partition(":")
    kind, name = VERBS[verb]
    original = getattr(kind, name)

    def armed(*arguments):
        if moment == "after":
            original(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(kind, name, armed)


def main(order):
    arm(order["point"])
    tenancy = Tenancy(
        create_engine(order["catalog_url"]),
        servers=[Server("main", order["server_url"])],
        migrations=Path(order["migrations"]),
        keys=KeyRing.from_text(order["keys"]),
    )
    tenancy.secrets.rotate_password("a", drain_s=0)


main(ORDER)  # noqa: F821 -- given by run_path
