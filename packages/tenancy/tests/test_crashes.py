"""A real process is killed with SIGKILL at each point in turn, the next one goes on to the next point, and the end is always the same."""

from __future__ import annotations

import multiprocessing
import re
import runpy
import signal
from pathlib import Path

import pytest
from sqlalchemy import select, text

import roomtone_tenancy
from roomtone_tenancy import TenantState, errors
from roomtone_tenancy.events import StepFinished
from roomtone_tenancy.life.stores import FolderStore

WORKER = Path(__file__).parent / "worker.py"
PROVISION = ["template", "roles", "database", "security", "schema", "stamp", "seed", "activation"]
DELETE = ["disconnection", "backup", "database", "roles", "copies", "absence", "removal"]
TEMPLATE = ["template.named", "template.created", "template.migrated", "template.built", "template.recorded"]
CLONE = {"postgresql": [], "sqlite": ["copy.written", "copy.linked"]}
SECURE = {"postgresql": ["security.opened"], "sqlite": []}
DROP = {"postgresql": ["drop.closed"], "sqlite": ["drop.file_removed"]}
DROP_ROLES = {"postgresql": ["drop.role_dropped"], "sqlite": []}
RECORDED_BY_FORMAT = re.compile(r'faults\.point\(f?"([^"]+)"\)')

SECOND = """
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.execute("CREATE TABLE room (id int)")
"""

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
        "backups": str(site.migrations / "backups"),
        "verb": verb,
        "point": point,
    }
    context = multiprocessing.get_context("forkserver")  # a clean process, without this one's threads and sockets, in milliseconds
    context.set_forkserver_preload(["roomtone_tenancy", "roomtone_tenancy.provisioners.postgresql"])
    process = context.Process(target=runpy.run_path, args=(str(WORKER), {"ORDER": order}))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"{verb} never came to {point}"
    process.close()


def steps(operation, names, inside):
    """Every point of an operation in the order in which it gets there."""
    return [point for name in names for point in (*inside.get(name, ()), f"{operation}.{name}.unrecorded", f"{operation}.{name}.recorded")]


def provisioning(kind):
    inside = {
        "template": TEMPLATE,
        "roles": ["credentials.stored"],
        "database": CLONE[kind],
        "security": SECURE[kind],
        "stamp": ["stamp.written"],
        "seed": ["seed.written"],
        "activation": ["activation.written"],
    }
    return steps("provision", [name for name in PROVISION if kind == "postgresql" or name != "roles"], inside)


def deletion(kind):
    return steps(
        "delete", DELETE, {"backup": ["backup.written"], "database": DROP[kind], "roles": DROP_ROLES[kind], "removal": ["removal.written"]}
    )


def filling(kind):
    making = [
        "spare.named",
        "spare.roles_made",
        *CLONE[kind],
        "spare.cloned",
        *SECURE[kind],
        "spare.secured",
        "stamp.written",
        "spare.ready",
    ]
    return [*TEMPLATE, *making]


def replacing(kind):
    return [*TEMPLATE, "template.dropped", *DROP[kind], "spare.database_dropped", *DROP_ROLES[kind], "spare.ready"]


def is_whole(site, tenancy, key):
    """Active, seeded once, stamped with its own id and reached with its own password; nothing else is left anywhere."""
    tenant = tenancy.tenant(key)
    with tenancy.use(key), tenancy.session() as session:
        artists = session.scalars(select(site.Artist.name)).all()
        stamps = session.scalars(text("SELECT tenant_id FROM tenancy_stamp")).all()
    return (tenant.state, artists, stamps, tenancy.orphans()) == (TenantState.ACTIVE, ["seeded"], [tenant.id], [])


def test_provisioning_killed_at_every_point_resumes_at_once_and_leaves_no_orphan(site):
    tenancy = site.tenancy(seed=seed)
    site.register(tenancy, "acme")
    points, seen = provisioning(site.kind), []
    *before_the_end, commit, _ = points

    for point in before_the_end:
        killed(site, "provision", point)
        seen.append((tenancy.pending(), tenancy.orphans()))
    killed(site, "provision", commit)

    assert seen == [(["acme"], [])] * len(before_the_end)
    assert tenancy.pending() == []
    assert tenancy.progress("acme").attempts == len(points) - 1
    assert tenancy.provision("acme").revision == "r1"
    assert is_whole(site, tenancy, "acme")


def test_deletion_killed_at_every_point_resumes_and_leaves_nothing(site):
    tenancy = site.tenancy(seed=seed, cache_ttl_s=0)
    site.make(tenancy, "acme")
    points, seen = deletion(site.kind), []
    *before_the_end, commit, _ = points

    for point in before_the_end:
        killed(site, "delete", point)
        seen.append((tenancy.pending("delete"), tenancy.orphans()))
    killed(site, "delete", commit)

    assert seen == [(["acme"], [])] * len(before_the_end)
    assert (tenancy.exists("acme"), tenancy.pending("delete"), tenancy.orphans()) == (False, [], [])
    with pytest.raises(errors.UnknownTenant):
        tenancy.delete("acme")


def test_filling_the_pool_killed_at_every_point_goes_on_with_the_same_spare(site):
    tenancy = site.tenancy(seed=seed)
    *points, last = filling(site.kind)

    seen = []
    for point in points:
        killed(site, "refill", point)
        seen.append((tenancy.spares.ready(), tenancy.orphans()))
    killed(site, "refill", last)

    assert seen == [(0, [])] * len(points)
    assert (tenancy.spares.ready(), len(tenancy.spares.databases())) == (1, 1)
    assert site.register(tenancy, "acme").state is TenantState.PROVISIONING
    tenancy.provision("acme")
    assert is_whole(site, tenancy, "acme")


def test_replacing_outdated_spares_killed_at_every_point_gives_none_of_them_out(site):
    old = site.tenancy(seed=seed)
    old.spares.refill(1)
    outdated = old.spares.databases()
    site.add_revision("r2", SECOND)
    tenancy = site.tenancy(seed=seed)
    *points, last = replacing(site.kind)

    seen = []
    for point in points:
        killed(site, "refill", point)
        seen.append((tenancy.spares.ready(), tenancy.orphans()))
    killed(site, "refill", last)

    assert seen == [(0, [])] * len(points)
    assert (tenancy.spares.ready(), outdated & tenancy.spares.databases()) == (1, set())
    site.register(tenancy, "acme")
    assert tenancy.provision("acme").revision == "r2"
    assert is_whole(site, tenancy, "acme")


def test_a_claim_killed_before_its_commit_leaves_the_spare_in_the_pool(site):
    tenancy = site.tenancy(seed=seed)
    tenancy.spares.refill(1)

    killed(site, "register", "claim.taken")

    assert (tenancy.exists("acme"), tenancy.spares.ready(), tenancy.orphans()) == (False, 1, [])
    site.register(tenancy, "acme")
    tenancy.provision("acme")
    assert is_whole(site, tenancy, "acme")


@pytest.mark.parametrize("point", ["seed.written", "provision.seed.unrecorded", "provision.activation.unrecorded"])
def test_what_a_claimed_spare_leaves_to_do_resumes_after_a_kill(site, point):
    tenancy = site.tenancy(seed=seed)
    tenancy.spares.refill(1)
    site.register(tenancy, "acme")

    killed(site, "provision", point)

    tenancy.provision("acme")
    assert is_whole(site, tenancy, "acme")


def test_a_migration_killed_while_it_replaces_the_template_resumes(site):
    tenancy = site.tenancy(seed=seed)
    site.make(tenancy, "acme")
    site.add_revision("r2", SECOND)

    for point in (*TEMPLATE, "template.dropped"):
        killed(site, "migrate", point)
    later = site.tenancy(seed=seed)
    later.migrate()

    assert later.tenant("acme").revision == "r2"
    assert is_whole(site, later, "acme")


def test_every_step_of_making_and_unmaking_is_one_that_a_test_kills_at(site):
    tenancy, done = site.tenancy(seed=seed, backups=FolderStore(site.migrations / "backups")), []
    tenancy.on(StepFinished)(lambda event: done.append(f"{event.operation}.{event.step}"))

    site.make(tenancy, "acme")
    tenancy.delete("acme")

    points = [*provisioning(site.kind), *deletion(site.kind)]
    assert done == [point.removesuffix(".recorded") for point in points if point.endswith(".recorded") and point.count(".") == 2]


def test_every_point_has_a_name_that_these_tests_can_read():
    folder = Path(roomtone_tenancy.__file__).parent
    texts = [path.read_text() for path in folder.rglob("*.py") if path.name != "faults.py"]

    assert sum(text.count("faults.point(") for text in texts) == sum(len(RECORDED_BY_FORMAT.findall(text)) for text in texts) > 40


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_every_point_in_the_code_is_one_that_a_test_kills_at(site):
    folder = Path(roomtone_tenancy.__file__).parent
    named = {name for path in folder.rglob("*.py") if "life" not in path.parts for name in RECORDED_BY_FORMAT.findall(path.read_text())}

    killed_at = {"claim.taken", *(point for kind in CLONE for each in (provisioning, deletion, filling, replacing) for point in each(kind))}

    steps_of = {f"{{self.kind}}.{{name}}.{moment}" for moment in ("unrecorded", "recorded")}
    of_others = {name for name in named if name.startswith("fleet.")}  # killed at in fleet/test_killed.py
    of_life = {"backup.written"}  # life/test_kills.py looks for it
    assert named - steps_of - of_others == {point for point in killed_at if not point.startswith(("provision.", "delete."))} - of_life
