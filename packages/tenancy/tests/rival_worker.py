"""Run by the tests of rivals in a process of its own: registers and provisions a tenant as soon as the other is ready too."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from roomtone_tenancy import KeyRing, Server, Tenancy, errors

GIVE_UP_S = 100


def main(order: dict) -> None:
    catalog = create_engine(order["catalog_url"])
    tenancy = Tenancy(
        catalog,
        servers=[Server("main", order["server_url"])],
        migrations=Path(order["migrations"]),
        keys=KeyRing.from_text(order["keys"]),
        seed=lambda session, tenant: session.execute(text("INSERT INTO artist (name) VALUES ('seeded')")),
    )
    order["barrier"].wait(GIVE_UP_S)
    try:
        with Session(catalog) as session, session.begin():
            tenancy.register(session, "acme", domains=["acme.test"])
    except errors.TenantExists:
        pass
    end = time.monotonic() + GIVE_UP_S
    while True:  # as a worker's queue does: busy means later
        try:
            tenancy.provision("acme")
        except errors.OperationBusy:
            if time.monotonic() > end:
                raise
        else:
            return


main(ORDER)  # noqa: F821 -- given by run_path
