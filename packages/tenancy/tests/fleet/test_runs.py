from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from roomtone_tenancy import errors
from roomtone_tenancy.fleet.rollout import ItemState, Rollout, RunState
from roomtone_tenancy.fleet.runs import Runs
from roomtone_tenancy.fleet.works import Result
from roomtone_tenancy.models import TenantRow
from roomtone_tenancy.run_models import RunItemRow
from roomtone_tenancy.testing.clock import FakeClock


def name_artist(tenancy, key, name):
    with tenancy.use(key), tenancy.session() as session:
        session.execute(text("DELETE FROM artist"))
        session.execute(text("INSERT INTO artist (name) VALUES (:name)"), {"name": name})
        session.commit()


def keys(statuses):
    return [failure.key for failure in statuses.failures]


def runs_of(tenancy, ttl_s=15.0):
    made = tenancy._provisioning
    return Runs(catalog=made.catalog, clock=made.clock, ttl_s=ttl_s)


def begin(tenancy, rollout):
    runs = runs_of(tenancy)
    return runs, runs.begin(tenancy.head, rollout, tenancy.fleet.behind())


def test_a_run_brings_every_tenant_to_the_head_and_says_so(site, make_fleet, static, columns):
    make_fleet(5)
    site.add_revision("r2", static)
    tenancy, told = site.tenancy(), []

    status = tenancy.fleet.run(Rollout(canary=1, batch=2, parallel=2), on_tenant=lambda key, error: told.append((key, error)))

    assert (status.state, status.is_success, status.total, status.left) == (RunState.DONE, True, 5, 0)
    assert sorted(told) == [(f"t{number:03}", None) for number in range(5)]
    assert all(tenancy.tenant(f"t{number:03}").revision == "r2" and "label" in columns(tenancy, f"t{number:03}") for number in range(5))
    assert status.ways["replay"] >= 1
    assert tenancy.fleet.verify().is_clean
    assert tenancy.fleet.run().id is None


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_the_plan_says_what_would_run_in_which_wave_and_runs_nothing(site, make_fleet, static):
    make_fleet(4)
    site.add_revision("r2", static)
    tenancy = site.tenancy()

    plan = tenancy.fleet.plan(Rollout(canary=1, batch=2), first=["t002"])

    assert [(it.key, it.wave, it.before, it.revisions) for it in plan.tenants] == [
        ("t002", 0, "r1", ("r2",)),
        ("t000", 1, "r1", ("r2",)),
        ("t001", 1, "r1", ("r2",)),
        ("t003", 2, "r1", ("r2",)),
    ]
    assert (plan.target, plan.templates) == ("r2", ("main",))
    with pytest.raises(errors.NoRun):
        tenancy.fleet.status()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_failed_canary_stops_the_run_before_anybody_else_and_resume_goes_on(site, make_fleet, planted, columns):
    old = make_fleet(3)
    name_artist(old, "t001", "breaks")
    site.add_revision("r2", planted)
    tenancy = site.tenancy()

    stopped = tenancy.fleet.run(Rollout(parallel=2), first=["t001"])

    assert (stopped.state, stopped.reason, keys(stopped)) == (RunState.STOPPED, "a tenant of the canary failed", ["t001"])
    assert stopped.counts == {ItemState.WAITING: 2, ItemState.QUARANTINED: 1}
    assert "label" not in columns(tenancy, "t001")  # all or nothing
    assert "stopped" in {finding.check for finding in tenancy.doctor().findings}

    name_artist(tenancy, "t001", "mended")
    resumed = tenancy.fleet.resume()

    assert (resumed.id, resumed.is_success, resumed.counts) == (stopped.id, True, {ItemState.DONE: 3})
    assert tenancy.doctor().is_well
    with pytest.raises(errors.NoRun):
        tenancy.fleet.resume()


def test_a_planted_failure_is_quarantined_and_nobody_else_is_held_up(site, make_fleet, planted, columns):
    old = make_fleet(6)
    name_artist(old, "t004", "breaks")
    site.add_revision("r2", planted)
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(parallel=2))

    assert (status.state, status.is_success, keys(status)) == (RunState.DONE, False, ["t004"])
    assert status.counts == {ItemState.DONE: 5, ItemState.QUARANTINED: 1}
    assert "label" not in columns(tenancy, "t004")
    assert status.failures[0].attempts == 1  # what cannot pass by itself is not tried again
    assert tenancy.fleet.plan().tenants[0].key == "t004"


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_after_so_many_failures_nothing_more_is_begun(site, make_fleet, planted):
    old = make_fleet(5)
    for key in ("t001", "t002"):
        name_artist(old, key, "breaks")
    site.add_revision("r2", planted)
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(parallel=1, stop_after=2))

    assert (status.state, status.reason) == (RunState.STOPPED, "2 tenants failed, and stop_after is 2")
    assert keys(status) == ["t001", "t002"]
    assert tenancy.tenant("t004").revision == "r1"


def test_what_may_pass_is_tried_again_and_then_quarantined(site, make_fleet, static):
    old = make_fleet(2)
    site.add_revision("r2", static)
    tenancy = site.tenancy()
    hold, held = threading.Event(), threading.Event()

    def keep_locked():
        with old.use("t001"), old.session() as session:
            session.execute(text("UPDATE artist SET name = name") if site.kind == "sqlite" else text("LOCK TABLE song, artist"))
            held.set()
            hold.wait(60)

    with tenancy.use("t001"), tenancy.session() as session:
        session.execute(text("INSERT INTO artist (name) VALUES ('x')"))
        session.commit()
    holder = threading.Thread(target=keep_locked)
    holder.start()
    held.wait(60)

    status = tenancy.fleet.run(Rollout(parallel=1, lock_timeout_ms=50, attempts=2, back_off_s=0))
    hold.set()
    holder.join()

    assert keys(status) == ["t001"]
    assert status.failures[0].attempts == 2
    assert tenancy.fleet.run(Rollout(parallel=1)).is_success


def test_a_waves_tenants_wait_for_the_wave_before(sqlite_site, static):
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b", "c", "d"):
        sqlite_site.make(tenancy, key)
    sqlite_site.add_revision("r2", static)
    rollout = Rollout(canary=1, batch=2)
    runs, run_id = begin(sqlite_site.tenancy(), rollout)

    canary = runs.turn(run_id, rollout, [], want=9).works
    nothing = runs.turn(run_id, rollout, [], want=9).works
    wave = runs.turn(run_id, rollout, [Result(work=canary[0], revision="r2")], want=9).works

    assert ([work.key for work in canary], nothing, [work.key for work in wave]) == (["a"], (), ["b", "c"])


def test_no_server_has_more_at_once_than_its_limit_over_all_runners(site, make_fleet, static):
    make_fleet(4)
    site.add_revision("r2", static)
    rollout = Rollout(canary=0, per_server=2)
    tenancy = site.tenancy()
    runs, run_id = begin(tenancy, rollout)
    others = runs_of(tenancy)

    first = runs.turn(run_id, rollout, [], want=1).works
    second = others.turn(run_id, rollout, [], want=9).works
    third = runs.turn(run_id, rollout, [], want=9).works

    assert [len(works) for works in (first, second, third)] == [1, 1, 0]


def test_a_worker_that_lost_its_lease_records_nothing(site, make_fleet, static):
    make_fleet(1)
    site.add_revision("r2", static)
    rollout = Rollout(canary=0)
    clock = FakeClock()
    tenancy = site.tenancy(clock=clock, lease_s=15)
    slow, run_id = begin(tenancy, rollout)
    late = slow.turn(run_id, rollout, [], want=1).works[0]
    clock.advance(timedelta(seconds=16))

    taker = runs_of(tenancy)
    taken = taker.turn(run_id, rollout, [], want=1).works[0]
    slow.turn(run_id, rollout, [Result(work=late, error="too late")], want=0)

    assert (taken.position, taken.generation) == (late.position, late.generation + 2)  # one for the loss, one for the taking
    assert tenancy.fleet.status(run_id).counts == {ItemState.LEASED: 1}
    taker.turn(run_id, rollout, [Result(work=taken, revision="r2")], want=0)
    assert tenancy.fleet.status(run_id).counts == {ItemState.DONE: 1}


def test_a_tenant_whose_workers_are_always_lost_is_given_up(sqlite_site, static):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "a")
    sqlite_site.add_revision("r2", static)
    tenancy = sqlite_site.tenancy()
    rollout = Rollout(canary=0, attempts=1)
    runs, run_id = begin(tenancy, rollout)
    runs.turn(run_id, rollout, [], want=1)
    with Session(sqlite_site.catalog) as session, session.begin():
        session.execute(update(RunItemRow).values(attempts=21, leased_until=tenancy.tenant("a").created_at))

    turn = runs.turn(run_id, rollout, [], want=1)

    assert turn.is_over
    assert tenancy.fleet.status(run_id).failures[0].error == "every worker that took it was lost"


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_tenant_deleted_meanwhile_is_skipped_and_a_fenced_one_waits(site, make_fleet, static):
    old = make_fleet(3)
    site.add_revision("r2", static)
    tenancy = site.tenancy()
    rollout = Rollout(canary=0, parallel=1, attempts=1)
    begin(tenancy, rollout)
    old.delete("t000")
    with Session(site.catalog) as session, session.begin():
        session.execute(update(TenantRow).where(TenantRow.key == "t001").values(is_fenced=True))

    status = tenancy.fleet.run()

    assert status.counts == {ItemState.SKIPPED: 1, ItemState.QUARANTINED: 1, ItemState.DONE: 1}
    assert "fenced" in status.failures[0].error


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_run_can_be_stopped_by_hand_and_resumed(site, make_fleet, static):
    make_fleet(3)
    site.add_revision("r2", static)
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(canary=1, batch=1, parallel=1), on_tenant=lambda key, error: tenancy.fleet.stop("enough"))

    assert (status.state, status.reason, status.left) == (RunState.STOPPED, "enough", 1)
    assert not tenancy.fleet.stop()
    assert tenancy.fleet.resume(parallel=2).is_success


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_newer_code_stops_an_older_run_and_older_code_leaves_a_newer_one_alone(site, make_fleet, static):
    make_fleet(2)
    site.add_revision("r2", static)
    older = site.tenancy()
    assert older.head == "r2"
    _, first = begin(older, Rollout())
    site.add_revision("r3", static.replace('"r1"', '"r2"').replace('"r2", "r2"', '"r3", "r2"').replace("label", "badge"))
    newer = site.tenancy()

    with pytest.raises(errors.RunInTheWay):
        newer.fleet.resume()
    status = newer.fleet.run()

    assert (status.target, status.is_success) == ("r3", True)
    assert older.fleet.status(first).state is RunState.STOPPED
    with Session(site.catalog) as session, session.begin():
        session.execute(update(TenantRow).values(revision="r2"))
    begin(newer, Rollout())
    with pytest.raises(errors.RunInTheWay):
        older.fleet.run()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_of_two_that_begin_a_run_at_once_one_begins_it(site, make_fleet, static):
    make_fleet(1)
    site.add_revision("r2", static)
    tenancy = site.tenancy()
    runs, run_id = begin(tenancy, Rollout())

    again = runs.begin("r2", Rollout(), tenancy.fleet.behind())

    assert (run_id is not None, again) == (True, None)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_spares_of_an_older_revision_are_made_anew_before_the_tenants(site, make_fleet, static):
    make_fleet(1).spares.refill(2)
    site.add_revision("r2", static)
    tenancy = site.tenancy()

    tenancy.fleet.run()

    assert tenancy.spares.ready() == 2


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_run_goes_to_no_tenant_whose_revision_the_code_does_not_know(site, make_fleet, static):
    make_fleet(1)
    site.add_revision("r2", static)
    with Session(site.catalog) as session, session.begin():
        session.execute(update(TenantRow).values(revision="from the future"))

    with pytest.raises(errors.MigrationsInvalid):
        site.tenancy().fleet.run()


def test_a_mixed_up_database_is_not_migrated(site, make_fleet, static):
    make_fleet(3)
    site.add_revision("r2", static)
    with Session(site.catalog) as session, session.begin():
        names = {row.key: row.database for row in session.execute(select(TenantRow.key, TenantRow.database))}
        for key, database in (("t000", "gone"), ("t001", names["t000"]), ("t000", names["t001"])):
            session.execute(update(TenantRow).where(TenantRow.key == key).values(database=database))
            session.flush()
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(canary=0, parallel=1))

    assert keys(status) == ["t000", "t001"]
    assert all("StampMismatch" in failure.error for failure in status.failures)


@pytest.mark.parametrize("values", [{"batch": 0}, {"parallel": 0}, {"canary": -1}, {"lock_timeout_ms": 0}, {"stop_after": 0}])
def test_a_rollout_that_cannot_be_is_refused(values):
    with pytest.raises(ValueError, match="A Rollout needs"):
        Rollout(**values)


def test_a_tenant_that_may_only_be_read_is_migrated_too(site, make_fleet, static, columns):
    old = make_fleet(3)
    site.change(old.read_only, "t002", reason="unpaid")
    site.add_revision("r2", static)
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(parallel=1))

    assert (status.is_success, status.ways) == (True, {"alembic": 1, "replay": 2})
    assert "label" in columns(tenancy, "t002")
