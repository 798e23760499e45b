"""A real process is killed with SIGKILL at each point, another goes on, and the end is always the same."""

from __future__ import annotations

import multiprocessing
import runpy
import signal
from pathlib import Path

import pytest
from sqlalchemy import select, text

from roomtone_tenancy import TenantState, errors

WORKER = Path(__file__).parent / "worker.py"
PROVISIONING = ["template", "roles", "database", "security", "schema", "stamp", "seed"]
DELETION = ["disconnection", "database", "roles"]
KINDS = ["postgresql", "sqlite"]

pytestmark = pytest.mark.faults


def seed(session, tenant):
    session.execute(text("INSERT INTO artist (name) VALUES ('seeded')"))


def killed(site, verb, point):
    """Run the worker until it dies by its own hand."""
    order = {
        "catalog_url": site.catalog_url,
        "server_url": site.server_url,
        "migrations": str(site.migrations),
        "keys": site.keys.to_text(),
        "verb": verb,
        "point": point,
    }
    context = multiprocessing.get_context("forkserver")  # a clean process, without this one's threads and sockets, in milliseconds
    context.set_forkserver_preload(["roomtone_tenancy", "roomtone_tenancy.provisioners.postgresql"])
    process = context.Process(target=runpy.run_path, args=(str(WORKER), {"ORDER": order}))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    process.close()


def cases(steps):
    """For each kind of server: killed in the step, again right after it, and then the run that finishes."""
    return [
        (kind, (f"unrecorded:{step}", f"recorded:{step}")) for kind in KINDS for step in steps if kind == "postgresql" or step != "roles"
    ]


PROVISIONING_CASES = [
    *((kind, ("inside:template",)) for kind in KINDS),
    *cases(PROVISIONING),
    *((kind, (f"{moment}:activation",)) for kind in KINDS for moment in ("unrecorded", "recorded")),
]


@pytest.mark.parametrize(("site", "points"), PROVISIONING_CASES, indirect=["site"])
def test_provisioning_killed_at_any_point_resumes_at_once_and_leaves_no_orphan(site, points):
    tenancy = site.tenancy(seed=seed)
    site.register(tenancy, "acme")
    for point in points:
        killed(site, "provision", point)
    is_over = points[0].endswith("activation")

    pending, orphans = tenancy.pending(), tenancy.orphans()
    tenant = tenancy.provision("acme")

    assert pending == ([] if is_over else ["acme"])
    assert orphans == []
    assert tenant.state is TenantState.ACTIVE
    with tenancy.use("acme"), tenancy.session() as session:
        assert session.scalars(select(site.Artist.name)).all() == ["seeded"]
    assert tenancy.progress("acme").attempts == len(points) + (not is_over)
    assert tenancy.pending() == []
    assert tenancy.orphans() == []


@pytest.mark.parametrize(("site", "points"), cases(DELETION), indirect=["site"])
def test_deletion_killed_at_any_point_resumes_and_leaves_nothing(site, points):
    tenancy = site.tenancy(seed=seed)
    site.make(tenancy, "acme")
    for point in points:
        killed(site, "delete", point)

    pending = tenancy.pending("delete")
    tenancy.delete("acme")

    assert pending == ["acme"]
    assert not tenancy.exists("acme")
    assert tenancy.orphans() == []
    with pytest.raises(errors.UnknownTenant):
        tenancy.delete("acme")
