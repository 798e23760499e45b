"""Two processes of the operating system make the same tenant at the same moment."""

from __future__ import annotations

import multiprocessing
import runpy
import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from roomtone_tenancy import TenantState

FOLDER = Path(__file__).parent
pytestmark = pytest.mark.faults


def seed(session, tenant):
    session.execute(text("INSERT INTO artist (name) VALUES ('seeded')"))


@pytest.fixture
def start(site, tmp_path):
    """Start a worker file in a process of its own; `ended` on the result waits for it and gives its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["roomtone_tenancy", "roomtone_tenancy.provisioners.postgresql"])
    order = {
        "catalog_url": site.catalog_url,
        "server_url": site.server_url,
        "migrations": str(site.migrations),
        "keys": site.keys.to_text(),
        "backups": str(tmp_path / "backups"),
    }
    processes = []

    def start(worker, **more):
        process = context.Process(target=runpy.run_path, args=(str(FOLDER / worker), {"ORDER": order | more}))
        process.start()
        processes.append(process)
        return process

    start.barrier = context.Barrier(2)
    yield start
    for process in processes:
        process.kill()
        process.join()


def ended(process):
    process.join(120)
    return process.exitcode


def names(tenancy):
    return sorted(name for site in tenancy._sites.by_name.values() for name in site.provisioner.names("rt_"))


@pytest.mark.parametrize("point", [None, "provision.database.unrecorded", "provision.seed.recorded"])
def test_two_processes_that_create_or_resume_a_tenant_at_once_make_one(site, start, point):
    tenancy = site.tenancy(seed=seed)
    if point is not None:
        site.register(tenancy, "acme")
        assert ended(start("worker.py", verb="provision", point=point)) == -signal.SIGKILL

    rivals = [start("rival_worker.py", barrier=start.barrier) for _ in range(2)]

    assert [ended(rival) for rival in rivals] == [0, 0]
    assert tenancy.tenant("acme").state is TenantState.ACTIVE
    assert (len(tenancy.tenants()), tenancy.pending(), tenancy.orphans()) == (1, [], [])
    assert [entry.after for entry in tenancy.history("acme")] == ["requested", "provisioning", "active"]
    with tenancy.use("acme"), tenancy.session() as session:
        assert session.scalars(text("SELECT name FROM artist")).all() == ["seeded"]
