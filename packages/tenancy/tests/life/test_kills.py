"""A real process is killed with SIGKILL at each point of a tenant's later life in turn; the next one goes on, nothing is lost."""

from __future__ import annotations

import multiprocessing
import re
import runpy
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from roomtone_tenancy import TenantState, life
from roomtone_tenancy.life.errors import UnknownScrub
from roomtone_tenancy.life.stores import FolderStore

pytestmark = pytest.mark.faults

WORKER = Path(__file__).parent / "life_worker.py"
POINT = re.compile(r'faults\.point\(f?"([^"]+)"\)')
PREPARE = {"postgresql": ["prepare.dropped"], "sqlite": []}
LOAD = {"postgresql": ["load.done"], "sqlite": ["load.written", "load.done"]}
TELL = {"postgresql": ["door.told"], "sqlite": []}
FENCE = ["fence.raised", "door.unrecorded"]


def steps(operation, names, inside):
    """Every point of an operation in the order in which it gets there."""
    return [point for name in names for point in (*inside.get(name, ()), f"{operation}.{name}.unrecorded", f"{operation}.{name}.recorded")]


def roles(kind):
    return ["roles"] if kind == "postgresql" else []


def moving(kind):
    inside = {"database": PREPARE[kind], "fence": FENCE, "copy": LOAD[kind], "exchange": ["exchange.written"]}
    return steps("move", [*roles(kind), "database", "fence", "copy", "verification", "exchange", "retirement"], inside)


def restoring(kind):
    inside = {"database": PREPARE[kind], "load": LOAD[kind], "fence": FENCE, "exchange": ["exchange.written"]}
    names = [*roles(kind), "database", "load", "verification", "migration", "fence", "exchange", "retirement"]
    return steps("restore", names, inside)


def cloning(kind):
    inside = {"database": PREPARE[kind], "copy": LOAD[kind], "scrub": ["scrub.written"], "activation": ["newcomer.written"]}
    return steps("clone", [*roles(kind), "database", "copy", "verification", "migration", "scrub", "activation"], inside)


def importing(kind):
    inside = {"database": PREPARE[kind], "data": ["import.filled"], "activation": ["newcomer.written"]}
    names = ["database", "schema", "data", "verification", "migration", "stamp", "activation"]
    return steps("import", [*roles(kind), *names], inside)


def backing_up():
    return steps("backup", ["writing", "pruning"], {"writing": ["backup.written"]})


@pytest.fixture
def killed(site, two_servers, tmp_path):
    """Runs the worker until it dies by its own hand."""

    def killed(verb, point):
        order = {
            "catalog_url": site.catalog_url,
            "servers": [(server.name, server.url) for server in two_servers],
            "migrations": str(site.migrations),
            "keys": site.keys.to_text(),
            "backups": str(tmp_path / "backups"),
            "file": str(tmp_path / "acme.zip"),
            "verb": verb,
            "point": point,
        }
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["roomtone_tenancy", "roomtone_tenancy.life.copiers.postgresql"])
        process = context.Process(target=runpy.run_path, args=(str(WORKER), {"ORDER": order}))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL, f"{verb} never came to {point}"
        process.close()

    return killed


@pytest.fixture
def acme(site, two_servers, tmp_path, fill):
    """A tenancy without caches, a tenant on `main` with two rows."""
    tenancy = site.tenancy(servers=two_servers, cache_ttl_s=0, listen=False, backups=FolderStore(tmp_path / "backups"))
    site.change(tenancy.servers.drain, "other")
    site.make(tenancy, "acme")
    fill(tenancy, site, "acme", "ann", "bob")
    return tenancy


def test_a_move_killed_at_every_point_ends_with_all_rows_in_one_place(site, acme, killed, names, fill):
    *points, last = moving(site.kind)

    seen = []
    for point in points:
        killed("move", point)
        seen.append((names(acme, site, "acme"), acme.orphans()))
    pending = acme.pending("move")  # the last step records its own end
    fill(acme, site, "acme", "cid")

    assert seen == [(["ann", "bob"], [])] * len(points)
    assert (pending, last) == ([], "move.retirement.recorded")
    assert (acme.tenant("acme").server, acme.tenant("acme").state, acme.pending("door")) == ("other", "active", [])
    assert names(acme, site, "acme") == ["ann", "bob", "cid"]
    assert len(acme.moves.retired()) == 1


def test_a_restore_killed_at_every_point_ends_with_the_backups_rows(site, acme, killed, names, fill):
    acme.backups.create("acme")
    fill(acme, site, "acme", "later")
    *points, _ = restoring(site.kind)

    seen = []
    for point in points:
        killed("restore", point)
        seen.append((tuple(names(acme, site, "acme")), acme.orphans()))
    pending = acme.pending("restore")
    fill(acme, site, "acme", "cid")

    # As it was until the databases are exchanged, as the backup has it from then on; never anything else.
    exchanged = points.index("exchange.written") + 1
    assert seen == [(("ann", "bob", "later"), [])] * exchanged + [(("ann", "bob"), [])] * (len(points) - exchanged)
    assert (pending, acme.tenant("acme").state, acme.pending("door")) == ([], "active", [])
    assert names(acme, site, "acme") == ["ann", "bob", "cid"]


def test_a_clone_killed_at_every_point_is_nobodys_until_it_is_scrubbed_and_then_active(site, acme, killed, names):
    *points, _ = cloning(site.kind)

    seen = []
    for point in points:
        killed("clone", point)
        seen.append((str(acme.tenant("copy").state), acme.pending("clone"), acme.orphans()))

    # The last step records its own end: after it nothing is left to do.
    assert seen == [("provisioning", ["copy"], [])] * (len(points) - 1) + [("active", [], [])]
    assert names(acme, site, "copy") == ["ann (hidden)", "bob (hidden)"]
    assert names(acme, site, "acme") == ["ann", "bob"]


def test_an_import_killed_at_every_point_is_nobodys_until_it_was_compared_and_then_active(site, acme, killed, names, tmp_path):
    acme.exports.create("acme", tmp_path / "acme.zip")
    *points, _ = importing(site.kind)

    seen = []
    for point in points:
        killed("import", point)
        seen.append((str(acme.tenant("copy").state), acme.pending("import"), acme.orphans()))

    assert seen == [("provisioning", ["copy"], [])] * (len(points) - 1) + [("active", [], [])]
    assert names(acme, site, "copy") == names(acme, site, "acme") == ["ann", "bob"]


def test_an_export_that_is_killed_leaves_no_file_of_this_name(acme, killed, tmp_path):
    killed("export", "export.written")

    assert not (tmp_path / "acme.zip").exists()
    assert acme.exports.create("acme", tmp_path / "acme.zip").rows == 2


def test_a_clone_that_fails_and_is_killed_as_it_is_taken_back_is_taken_back_by_the_next_one(acme, killed):
    killed("failing clone", "newcomer.dropped")
    pending = acme.pending("clone")
    with pytest.raises(UnknownScrub):
        acme.clones.resume("copy")
    killed("failing clone", "newcomer.dropped")
    acme.delete("copy")

    assert (pending, acme.exists("copy"), acme.orphans(), acme.pending("clone")) == (["copy"], False, [], [])


@pytest.mark.parametrize("point", backing_up()[:-1])
def test_a_backup_killed_anywhere_is_none_until_it_is_whole(acme, killed, point):
    killed("backup", point)
    found, pending = acme.backups.list("acme"), acme.pending("backup")
    backup = acme.backups.create("acme")

    assert len(found) == (0 if point == "backup.written" else 1)
    assert pending == ([] if point == "backup.pruning.unrecorded" else ["acme"])
    assert acme.backups.check("acme") == backup
    assert acme.pending("backup") == []


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_a_state_whose_database_was_not_told_is_told_by_the_next_one(acme, killed):
    killed("suspend", "door.told")
    after_telling = acme.pending("door")
    killed("settle", "door.unrecorded")
    before_recording = acme.pending("door")
    acme.settle("acme")

    assert (after_telling, before_recording, acme.pending("door")) == (["acme"], ["acme"], [])
    assert acme.tenant("acme").state is TenantState.SUSPENDED


def test_dropping_a_retired_database_killed_in_between_is_dropped_by_the_next_one(site, two_servers, acme, killed):
    acme.moves.move("acme", "other", keep=timedelta(0))

    killed("drop_retired", "copy.dropped")
    kept = acme.moves.retired()
    acme.moves.drop_retired()

    assert (len(kept), acme.moves.retired(), acme.orphans()) == (1, [], [])


def test_every_step_of_an_operation_is_one_that_a_test_kills_at(site, acme, tmp_path):
    acme.exports.create("acme", tmp_path / "acme.zip")
    done = {}
    for kind, verb in {
        "backup": lambda: acme.backups.create("acme"),
        "restore": lambda: acme.backups.restore("acme"),
        "move": lambda: acme.moves.move("acme", "other"),
        "clone": lambda: acme.clones.clone("acme", "clone", scrub=()),
        "import": lambda: acme.exports.load(tmp_path / "acme.zip", "import"),
    }.items():
        verb()
        progress = acme.progress(kind if kind in ("clone", "import") else "acme")
        assert progress.operation == kind
        done[kind] = {f"{kind}.{step.name}" for step in progress.steps}

    killed_at = [*backing_up(), *(point for each in (restoring, moving, cloning, importing) for point in each(site.kind))]
    assert {point.rpartition(".")[0] for point in killed_at if point.count(".") == 2} == set().union(*done.values())


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_every_point_in_the_code_is_one_that_a_test_kills_at(site):
    folder = Path(life.__file__).parent
    named = {name for path in folder.rglob("*.py") for name in POINT.findall(path.read_text())}

    killed_at = {"door.told", "door.unrecorded", "copy.dropped", "newcomer.dropped", "export.written", *backing_up()}
    killed_at |= {point for kind in LOAD for each in (moving, restoring, cloning, importing) for point in each(kind)}

    of_steps = {point for point in killed_at if point.count(".") == 2}
    assert named == killed_at - of_steps
