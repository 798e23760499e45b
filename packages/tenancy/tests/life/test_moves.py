from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from roomtone_tenancy import errors
from roomtone_tenancy.life.copiers.postgresql import PostgresCopier
from roomtone_tenancy.life.copiers.sqlite import SqliteCopier
from roomtone_tenancy.life.errors import NotVerified, OperationFailed
from roomtone_tenancy.provisioners import Place

INSERT = "INSERT INTO artist (name) VALUES ('late')"


@pytest.fixture
def copier(site):
    return PostgresCopier if site.kind == "postgresql" else SqliteCopier


@pytest.fixture
def acme(site, two_servers, fill):
    """A tenancy, a tenant on `main` with two rows."""
    tenancy = site.tenancy(servers=two_servers, cache_ttl_s=0)
    site.change(tenancy.servers.drain, "other")
    site.make(tenancy, "acme", domains=["acme.test"])
    fill(tenancy, site, "acme", "ann", "bob")
    return tenancy


def test_a_moved_tenant_has_all_its_rows_on_the_other_server_and_goes_on_there(site, acme, fill, names):
    before = acme.tenant("acme")

    report = acme.moves.move("acme", "other")
    after = acme.tenant("acme")
    fill(acme, site, "acme", "cid")

    assert (report.source, report.target, report.rows >= 2) == ("main", "other", True)
    assert (after.server, after.id, after.state, after.epoch > before.epoch) == ("other", before.id, "active", True)
    assert names(acme, site, "acme") == ["ann", "bob", "cid"]
    assert 0 < report.refused_s < 60
    assert (acme.orphans(), acme.pending("move"), acme.pending("door")) == ([], [], [])
    assert acme.history("acme")[-1].reason == "moved from main to other"


def test_the_former_database_is_kept_shut_for_its_days_and_then_dropped(site, two_servers, acme, fill):
    before = acme.tenant("acme")
    acme.moves.move("acme", "other", keep=timedelta(days=3))
    (kept,) = acme.moves.retired()

    if site.kind == "postgresql":
        with site.admin(before.database) as admin, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            admin.execute(INSERT)
    else:
        stale = create_engine(acme._sites["main"].provisioner.url(Place(database=before.database), None))
        with stale.begin() as connection, pytest.raises(DBAPIError, match="writes are refused"):
            connection.execute(text(INSERT))
        stale.dispose()
    too_early = acme.moves.drop_retired()
    later = site.tenancy(servers=two_servers, clock=lambda: kept.drop_at)
    planned, dropped = later.moves.drop_retired(is_dry=True), later.moves.drop_retired()

    assert (kept.key, kept.server, kept.database, too_early) == ("acme", "main", before.database, [])
    assert planned == dropped == [kept]
    assert (later.moves.retired(), later.orphans()) == ([], [])


def test_a_move_under_write_load_loses_no_write_that_was_confirmed(site, acme, names):
    confirmed, stop, errors_seen, moved = [], threading.Event(), [], threading.Event()

    def write(number):
        count = 0
        while not stop.is_set():
            name = f"{number}-{count}"
            count += 1
            try:
                with acme.use("acme"), acme.session() as session:
                    session.add(site.Artist(name=name))
                    session.commit()
            except (errors.TenancyError, DBAPIError) as error:
                errors_seen.append(error)
                stop.wait(0.002)
            else:
                confirmed.append((name, moved.is_set()))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for writer in writers:
        writer.start()
    _until(lambda: len(confirmed) > 10)

    report = acme.moves.move("acme", "other")
    moved.set()
    _until(lambda: sum(after for _, after in confirmed) > 10)
    stop.set()
    for writer in writers:
        writer.join(60)

    found = names(acme, site, "acme")
    assert {name for name, _ in confirmed} - set(found) == set()
    assert len(found) == len(set(found))
    assert report.refused_s < 60


def test_a_copy_that_differs_is_not_used_and_the_tenant_writes_on_where_it_was(site, acme, copier, fill, names, monkeypatch):
    whole = copier.load

    def lossy(self, place, kind, chunks):
        whole(self, place, kind, chunks)
        with acme._sites["other"].provisioner.owner_connection(place) as connection:
            connection.execute(text("DELETE FROM artist WHERE name = 'ann'"))
            connection.commit()

    with monkeypatch.context() as patched:
        patched.setattr(copier, "load", lossy)
        with pytest.raises(OperationFailed, match="artist has 1 rows instead of 2") as caught:
            acme.moves.move("acme", "other")
    with pytest.raises(NotVerified):
        raise caught.value.__cause__
    fill(acme, site, "acme", "cid")

    assert (caught.value.step, caught.value.is_undone) == ("verification", True)
    assert (acme.tenant("acme").server, acme.tenant("acme").state) == ("main", "active")
    assert (names(acme, site, "acme"), acme.orphans(), acme.pending("move")) == (["ann", "bob", "cid"], [], [])
    assert acme.moves.move("acme", "other").rows >= 3


def test_a_failure_that_cannot_be_taken_back_now_is_taken_back_by_resume(site, acme, copier, names, monkeypatch):
    def fails(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(copier, "load", fails)
        patched.setattr(type(acme._workshop.copies), "drop", fails)
        with pytest.raises(OperationFailed) as caught:
            acme.moves.move("acme", "other")
    pending = acme.pending("move")
    with pytest.raises(OperationFailed) as resumed:
        acme.moves.resume("acme")

    assert (caught.value.is_undone, pending) == (False, ["acme"])
    assert (resumed.value.is_undone, acme.pending("move"), acme.orphans()) == (True, [], [])
    assert (acme.tenant("acme").state, names(acme, site, "acme")) == ("active", ["ann", "bob"])


def test_a_suspended_tenant_is_moved_and_stays_suspended(site, acme, raw):
    site.change(acme.suspend, "acme", reason="unpaid")

    acme.moves.move("acme", "other")

    tenant = acme.tenant("acme")
    assert (tenant.server, tenant.state) == ("other", "suspended")
    if site.kind == "postgresql":
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            raw(acme, tenant)


def test_a_move_to_where_the_tenant_is_or_to_another_kind_of_server_is_refused(site, acme):
    with pytest.raises(ValueError, match="already"):
        acme.moves.move("acme", "main")
    with pytest.raises(errors.NoServer):
        acme.moves.move("acme", "nowhere")
    with pytest.raises(errors.OperationBusy):
        acme.moves.resume("acme")

    assert acme.orphans() == []


def test_an_interrupted_move_fences_the_tenant_until_it_is_resumed(acme, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt  # no error of a step: as if the process ended here

    with monkeypatch.context() as patched:
        patched.setattr(type(acme._workshop.doors), "settle_under", killed)
        with suppress(KeyboardInterrupt):
            acme.moves.move("acme", "other")
    fenced, pending = acme.tenant("acme").state, acme.pending("move")
    report = acme.moves.resume("acme")

    assert (fenced, pending) == ("read_only", ["acme"])
    assert report.target == acme.tenant("acme").server == "other"


def _until(fact, seconds=60):
    deadline = threading.Event()
    timer = threading.Timer(seconds, deadline.set)
    timer.start()
    try:
        while not fact():
            assert not deadline.wait(0.01), "it never came to that"
    finally:
        timer.cancel()
