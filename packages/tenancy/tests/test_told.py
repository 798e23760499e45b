"""Each verb tells its events once, also when it was killed anywhere and resumed by another process."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from roomtone_tenancy import Server, events
from roomtone_tenancy.errors import OperationBusy
from roomtone_tenancy.events import Event, StateChanged, StepFinished, StepStarted, TenantActivated
from roomtone_tenancy.fleet.rollout import Rollout
from roomtone_tenancy.life.stores import FolderStore
from roomtone_tenancy.revisions import Revisions

SECOND = """
    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        from alembic import op
        op.execute("INSERT INTO song (id, title) SELECT 1, NULL FROM artist WHERE name = 'breaks'")
"""
STEPS = (StepStarted, StepFinished)


class Killed(BaseException):
    """Nothing of the library's catches it."""


@pytest.fixture
def listen():
    """Writes down what any of these is told."""
    told: list[Event] = []

    def listen(*tenancies):
        for tenancy in tenancies:
            tenancy.on(Event)(told.append)
        return told

    return listen


@pytest.fixture
def make(site, tmp_path):
    """Another process's view, each time."""
    other = site.server_url if site.kind == "postgresql" else f"sqlite:///{tmp_path}/elsewhere"
    servers = [Server("main", site.server_url), Server("other", other)]
    return lambda **options: site.tenancy(servers=servers, backups=FolderStore(tmp_path / "backups"), scrubs=[], cache_ttl_s=0, **options)


def names(told):
    return Counter(type(event).__name__ for event in told if not isinstance(event, STEPS))


VERBS = {
    "provision": (lambda site, it: None, lambda it: it.provision("new"), {"StateChanged": 2, "TenantActivated": 1}),
    "backup": (lambda site, it: None, lambda it: it.backups.create("a"), {"BackupMade": 1}),
    "restore": (lambda site, it: it.backups.create("a"), lambda it: it.backups.restore("a"), {"DoorSet": 2, "TenantRestored": 1}),
    "move": (lambda site, it: None, lambda it: it.moves.move("a", "other"), {"DoorSet": 2, "TenantMoved": 1}),
    "clone": (
        lambda site, it: None,
        lambda it: it.clones.clone("a", "b", scrub=()),
        {"TenantRegistered": 1, "StateChanged": 2, "TenantActivated": 1, "TenantCloned": 1},
    ),
    "delete": (lambda site, it: None, lambda it: it.delete("a"), {"StateChanged": 2, "TenantDeleted": 1}),
}
RESUMED = {"clone": "b", "provision": "new"}


def prepare(site, make, verb):
    first = make()
    site.make(first, "a")
    site.register(first, "new")
    VERBS[verb][0](site, first)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_tells_each_event_once(site, make, listen, verb):
    prepare(site, make, verb)
    tenancy = make()
    told = listen(tenancy)

    VERBS[verb][1](tenancy)

    steps = [(type(event), event.step) for event in told if isinstance(event, STEPS)]
    assert names(told) == VERBS[verb][2]
    assert steps
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_verb_that_is_killed_and_resumed_tells_each_event_once_in_all(site, make, listen, verb, monkeypatch):
    prepare(site, make, verb)
    killed, resumed = make(), make()
    told = listen(killed, resumed)
    steps = [step.name for step in _progress(make, verb, monkeypatch, killed).steps]

    resumed.interrupted()[verb](RESUMED.get(verb, "a"))

    assert steps
    assert names(told) == VERBS[verb][2]


def _progress(make, verb, monkeypatch, tenancy):
    """Kill it where its second step was done, of a backup its first one; say how far it was."""
    seen = []

    def reached(name):
        if name.startswith(f"{verb}.") and name.endswith(".unrecorded"):
            seen.append(name)
            if len(seen) == (1 if verb == "backup" else 2):
                raise Killed

    monkeypatch.setattr("roomtone_tenancy.faults.point", reached)
    with pytest.raises(Killed):
        VERBS[verb][1](tenancy)
    monkeypatch.undo()
    return make().progress(RESUMED.get(verb, "a"))


def test_what_a_transaction_changes_is_told_once_it_is_committed(site, make, listen):
    tenancy = make()
    told = listen(tenancy)
    site.make(tenancy, "a")
    told.clear()

    site.change(tenancy.rename, "a", "b")
    site.change(tenancy.suspend, "b", reason="unpaid")
    site.change(tenancy.delete_later, "b", grace=timedelta(0), reason="left")

    assert names(told) == {"TenantRenamed": 1, "StateChanged": 2, "DoorSet": 1, "DeletionPlanned": 1}
    assert [(event.before, event.tenant.key) for event in told if isinstance(event, events.TenantRenamed)] == [("a", "b")]


def test_secrets_that_are_replaced_are_told(postgres_site, listen):
    tenancy = postgres_site.tenancy()
    told = listen(tenancy)
    postgres_site.make(tenancy, "a")
    told.clear()

    role = tenancy.secrets.rotate_password("a", drain_s=0)
    tenancy.secrets.retire(drain_s=0)
    tenancy.secrets.rotate_keys()

    assert names(told) == {"PasswordRotated": 1, "LoginRetired": 1, "KeysRotated": 1}
    assert [event.role for event in told if isinstance(event, events.PasswordRotated)] == [role]


def test_a_file_that_is_written_and_read_is_told(site, make, listen, tmp_path):
    tenancy = make()
    site.make(tenancy, "a")
    told = listen(tenancy)

    tenancy.exports.create("a", tmp_path / "a.roomtone")
    tenancy.exports.load(tmp_path / "a.roomtone", "b")

    assert (names(told)["TenantExported"], names(told)["TenantImported"]) == (1, 1)


def test_a_replaced_database_that_is_dropped_is_told(site, make, listen):
    tenancy = make()
    site.make(tenancy, "a")
    tenancy.moves.move("a", "other", keep=timedelta(0))
    told = listen(tenancy)

    tenancy.moves.drop_retired()

    assert names(told) == {"CopyDropped": 1}


def test_what_was_taken_back_is_told(site, make, listen, monkeypatch):
    tenancy = make()
    site.make(tenancy, "a")
    told = listen(tenancy)
    tenancy.on(StepStarted)(lambda event: {}[event.step] if event.step == "verification" else None)

    with pytest.raises(Exception, match="verification"):
        tenancy.moves.move("a", "other")

    assert names(told)["OperationUndone"] == 1
    assert names(told)["StepFailed"] == 1
    assert "TenantMoved" not in names(told)


def test_a_run_tells_its_start_its_waves_its_tenants_and_its_end_once(site, make, listen):
    old = make()
    for key in ("a", "b", "c"):
        site.make(old, key)
    with old.use("b"), old.session() as session:
        session.add(site.Artist(name="breaks"))
        session.commit()
    site.add_revision("r2", SECOND)
    tenancy = make()
    told = listen(tenancy)

    tenancy.fleet.run(Rollout(canary=1, parallel=2))
    with tenancy.use("b"), tenancy.session() as session:
        session.query(site.Artist).update({"name": "mended"})
        session.commit()
    tenancy.fleet.run(Rollout(canary=0))

    counted = names(told)
    assert {name: count for name, count in counted.items() if not name.startswith("Spare")} == {
        "RunStarted": 2, "WaveStarted": 3, "TenantMigrated": 3, "TenantQuarantined": 1, "RunFinished": 2,
    }  # fmt: skip
    assert [event.wave for event in told if isinstance(event, events.WaveStarted)] == [0, 1, 1]
    assert {event.key for event in told if isinstance(event, events.TenantMigrated)} == {"a", "b", "c"}


@pytest.mark.parametrize("point", ["fleet.begun", "fleet.leased", "fleet.applied"])
@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_run_that_is_killed_and_goes_on_tells_each_tenant_once(site, make, listen, monkeypatch, point):
    for key in ("a", "b"):
        site.make(make(), key)
    site.add_revision("r2", SECOND)
    killed, resumed = make(), make()
    told = listen(killed, resumed)

    def reached(name):
        if name == point:
            raise Killed

    monkeypatch.setattr("roomtone_tenancy.faults.point", reached)
    with pytest.raises(Killed):
        killed.fleet.run(Rollout(parallel=1, canary=0))
    monkeypatch.undo()
    resumed.fleet.run()

    counted = names(told)
    assert (counted["TenantMigrated"], counted["RunFinished"]) == (2, 1)
    assert max(counted["RunStarted"], counted["WaveStarted"]) <= 1  # a kill in that very moment tells nobody


def test_a_run_that_is_stopped_and_resumed_is_told_so(site, make, listen):
    site.make(make(), "a")
    site.add_revision("r2", SECOND)
    tenancy = make()
    tenancy.fleet._runs.begin("r2", Rollout(), tenancy.fleet.behind())
    told = listen(tenancy)

    tenancy.fleet.stop()
    tenancy.fleet.resume()

    finished = [event.state for event in told if isinstance(event, events.RunFinished)]
    assert finished == ["stopped", "done"]
    assert names(told)["RunResumed"] == 1


def test_a_failure_that_may_pass_is_told_as_one_that_is_tried_again(site, listen, monkeypatch):
    site.make(site.tenancy(), "a")
    site.add_revision("r2", SECOND)
    tenancy, tries = site.tenancy(), []
    told = listen(tenancy)
    before = Revisions.upgrade

    def locked_once(*arguments):
        tries.append(arguments)
        if len(tries) == 2:  # the first one is the template's
            raise OperationBusy("a", owner="somebody")
        return before(*arguments)

    monkeypatch.setattr(Revisions, "upgrade", locked_once)
    tenancy.fleet.run(Rollout(back_off_s=0))

    assert (names(told)["MigrationFailed"], names(told)["TenantMigrated"]) == (1, 1)


def test_an_observer_is_told_of_everything_and_stops_nothing(site, caplog):
    tenancy, seen = site.tenancy(), []

    @tenancy.on(Event)
    def observer(event):
        seen.append(event)
        raise OSError("the metrics are full")

    tenant = site.make(tenancy, "a")

    assert tenant.state == "active"
    assert {StateChanged, TenantActivated, StepStarted, StepFinished} <= {type(event) for event in seen}
    assert "the metrics are full" in caplog.text


def test_an_observer_lets_spares_be_claimed_at_once(site):
    tenancy = site.tenancy()
    tenancy.on(Event)(lambda _: None)
    tenancy.spares.refill(1)

    assert site.register(tenancy, "a").state == "active"
