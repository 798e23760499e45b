"""Run by the crash tests in a process of its own: provisions or deletes a tenant and kills itself at the given point."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import create_engine, text

from roomtone_tenancy import KeyRing, Server, StepState, Tenancy
from roomtone_tenancy.operations import Operations
from roomtone_tenancy.revisions import Revisions


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str, step: str) -> None:
    """`unrecorded`: the step's work is done and the catalog does not know. `inside`: a schema is half made."""
    if moment == "unrecorded":
        record = Operations.finish_step

        def finish_step(self, lease, tenant_id, name, *arguments, **options):
            if name == step:
                die()
            record(self, lease, tenant_id, name, *arguments, **options)

        Operations.finish_step = finish_step
    if moment == "inside":
        Revisions.upgrade = lambda self, connection: (connection.execute(text("CREATE TABLE half_made (id int)")), die())


def main(order: dict[str, str]) -> None:
    moment, _, step = order["point"].partition(":")
    arm(moment, step)
    tenancy = Tenancy(
        create_engine(order["catalog_url"]),
        servers=[Server("main", order["server_url"])],
        migrations=Path(order["migrations"]),
        keys=KeyRing.from_text(order["keys"]),
        seed=lambda session, tenant: session.execute(text("INSERT INTO artist (name) VALUES ('seeded')")),
    )

    def on_step(progress):
        if moment == "recorded" and progress.name == step and progress.state is StepState.DONE:
            die()

    getattr(tenancy, order["verb"])("acme", on_step=on_step)


main(ORDER)  # noqa: F821 -- given by run_path
