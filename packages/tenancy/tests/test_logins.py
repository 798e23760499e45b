"""Passwords are replaced without downtime, and killed anywhere a login works."""

from __future__ import annotations

import multiprocessing
import queue
import runpy
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select, text

from roomtone_tenancy import Server, errors
from roomtone_tenancy.models import CredentialRow
from roomtone_tenancy.provisioners import Login, Place
from roomtone_tenancy.provisioners.postgresql import PostgresWorker

WORKER = Path(__file__).parent / "login_worker.py"


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now

    def tick(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tenancy(postgres_site, clock):
    tenancy = postgres_site.tenancy(clock=clock)
    postgres_site.make(tenancy, "a")
    return tenancy


def role_in(tenancy, key="a"):
    """The role that a new session logs in as."""
    with tenancy.use(key), tenancy.session() as session:
        return session.scalar(text("SELECT session_user"))


def try_login(site, login, database):
    """Why the server refuses it; None when it lets it in."""
    url = make_url(site.server_url).set(drivername="postgresql", username=login.role, password=login.password, database=database)
    try:
        psycopg.connect(url.render_as_string(hide_password=False)).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None


def stored(site, tenancy, key="a"):
    """The roles on file and whether each is current."""
    with site.catalog.connect() as connection:
        wanted = select(CredentialRow.role, CredentialRow.is_current).where(CredentialRow.tenant_id == tenancy.tenant(key).id)
        return {row.role[-1]: row.is_current for row in connection.execute(wanted)}


def test_logins_take_turns(postgres_site, tenancy):
    roles = [role_in(tenancy)]
    for _ in range(3):
        assert tenancy.secrets.rotate_password("a", drain_s=0) is not None
        roles.append(role_in(tenancy))

    assert [role[-1] for role in roles] == ["a", "b", "a", "b"]
    assert stored(postgres_site, tenancy) == {"a": False, "b": True}
    assert tenancy.orphans() == []


def test_open_sessions_finish_and_new_ones_use_the_new_login(postgres_site, tenancy):
    with tenancy.use("a"), tenancy.session() as before:
        first = before.scalar(text("SELECT session_user"))
        tenancy.secrets.rotate_password("a")
        with tenancy.session() as after:
            second = after.scalar(text("SELECT session_user"))
        before.add(postgres_site.Artist(name="written late"))
        before.commit()
        with tenancy.session() as reader:
            names = reader.scalars(select(postgres_site.Artist.name)).all()

    assert (first[-1], second[-1], names) == ("a", "b", ["written late"])


def test_every_process_uses_the_new_login_once_it_hears_of_it(postgres_site, tenancy, clock):
    elsewhere = postgres_site.tenancy(cache_ttl_s=0, clock=clock)
    before = role_in(elsewhere)

    tenancy.secrets.rotate_password("a")

    assert (before[-1], role_in(elsewhere)[-1]) == ("a", "b")


def test_the_old_login_works_until_it_is_retired(postgres_site, tenancy, clock):
    tenant = tenancy.tenant("a")
    old = tenancy._credentials.current(tenant.id)
    tenancy.secrets.rotate_password("a")
    draining = (tenancy.secrets.retire(drain_s=60).done, try_login(postgres_site, old, tenant.database))
    clock.tick(60)

    report = tenancy.secrets.retire(drain_s=60)

    assert draining == ((), None)
    assert report.done == ("a",)
    assert "authentication failed" in try_login(postgres_site, old, tenant.database)
    assert stored(postgres_site, tenancy) == {"b": True}
    assert tenancy.secrets.retire().done == ()
    assert role_in(tenancy)[-1] == "b"
    assert tenancy.secrets.rotate_password("a", drain_s=0)[-1] == "a"
    assert role_in(tenancy)[-1] == "a"


def test_the_next_rotation_invalidates_the_password_before_the_last(postgres_site, tenancy):
    tenant = tenancy.tenant("a")
    oldest = tenancy._credentials.current(tenant.id)

    for _ in range(2):
        tenancy.secrets.rotate_password("a", drain_s=0)

    assert "password authentication failed" in try_login(postgres_site, oldest, tenant.database)


def test_a_rotation_right_after_another_waits_for_the_drain(tenancy, clock):
    tenancy.secrets.rotate_password("a")
    clock.tick(59)

    with pytest.raises(errors.StillDraining) as caught:
        tenancy.secrets.rotate_password("a")
    clock.tick(1)

    assert caught.value.until == clock.now
    assert tenancy.secrets.rotate_password("a")[-1] == "a"


def test_later_tables_are_granted_to_both_logins_with_the_same_settings(postgres_site, tenancy, clock, extension):
    tenancy.secrets.rotate_password("a")
    postgres_site.add_revision("r2", extension)
    later = postgres_site.tenancy(clock=clock)
    later.migrate()
    seen = []
    for _ in range(2):
        with later.use("a"), later.session() as session:
            session.execute(text("INSERT INTO room (name) VALUES ('x')"))
            seen.append((session.scalar(text("SELECT session_user"))[-1], session.scalar(text("SHOW statement_timeout"))))
            session.commit()
        later.secrets.rotate_password("a", drain_s=0)

    assert seen == [("b", "30s"), ("a", "30s")]


def test_an_administrator_who_is_no_superuser_may_rotate(postgres_site):
    site = postgres_site
    with site.admin() as admin:
        admin.execute("CREATE ROLE rotating_admin LOGIN CREATEDB CREATEROLE PASSWORD 'p'")
        url = make_url(site.server_url).set(username="rotating_admin", password="p").render_as_string(hide_password=False)
        tenancy = site.tenancy(servers=[Server("main", url)])
        site.make(tenancy, "a")
        tenancy.secrets.rotate_password("a")
        roles = [role_in(tenancy)]
        tenancy.secrets.retire(drain_s=0)
        roles.append(role_in(tenancy))
        tenancy.delete("a")
        orphans, template = tenancy.orphans(), tenancy._templates.current("main")
        tenancy.dispose()
        admin.execute(f"ALTER DATABASE {template} IS_TEMPLATE false")
        admin.execute(f"DROP DATABASE {template}")
        admin.execute(f"DROP ROLE {template}_owner")
        admin.execute("DROP ROLE rotating_admin")

    assert [role[-1] for role in roles] == ["b", "b"]
    assert orphans == []


def test_files_have_no_passwords_to_rotate(sqlite_site):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "a")

    assert tenancy.secrets.rotate_password("a") is None
    assert tenancy.secrets.rotate_passwords().skipped == ("a",)
    assert tenancy.secrets.retire().done == ()


def test_many_are_rotated_one_after_another_and_a_failure_stops_only_its_tenant(postgres_site, tenancy, clock):
    for key in ("b", "c", "d"):
        postgres_site.make(tenancy, key)
    clock.tick(100)
    started, heard = clock.now, []
    tenancy.secrets.rotate_password("c")
    clock.tick(1)
    with tenancy._provisioning.leases.hold(f"tenant:{tenancy.tenant('b').id}"):
        report = tenancy.secrets.rotate_passwords(
            lambda tenant: tenant.key != "d", on_tenant=lambda key, error: heard.append((key, bool(error)))
        )

    again = tenancy.secrets.rotate_passwords(older_than=started)

    assert report.done == ("a",)
    assert {key: text.partition(":")[0] for key, text in report.failed.items()} == {"b": "OperationBusy", "c": "StillDraining"}
    assert heard == [("a", False), ("b", True), ("c", True)]
    assert (again.done, again.failed) == (("b", "d"), {})


def test_a_server_that_is_away_stops_only_its_own_tenants(postgres_site, tenancy, monkeypatch):
    postgres_site.make(tenancy, "b")
    make, answers = PostgresWorker.make_login, iter([False, True])

    def make_login(worker, place, login):
        if not next(answers):
            raise psycopg.OperationalError("the server went away")
        make(worker, place, login)

    monkeypatch.setattr(PostgresWorker, "make_login", make_login)
    report = tenancy.secrets.rotate_passwords()

    assert (report.done, report.failed) == (("b",), {"a": "OperationalError: the server went away"})
    assert [role_in(tenancy, key)[-1] for key in ("a", "b")] == ["a", "b"]


@pytest.mark.parametrize("state", ["requested", "deleting"])
def test_a_tenant_in_the_making_or_on_its_way_out_is_not_rotated(site, state, monkeypatch):
    tenancy = site.tenancy()
    if state == "requested":
        site.register(tenancy, "a")
    else:
        site.make(tenancy, "a")
        monkeypatch.setattr("roomtone_tenancy.deletion.Deletion._do", lambda *_: 1 / 0)
        with pytest.raises(errors.DeletionFailed):
            tenancy.delete("a")

    with pytest.raises(errors.TenantUnavailable):
        tenancy.secrets.rotate_password("a")
    assert tenancy.secrets.rotate_passwords().failed == {}


def test_a_tenant_being_worked_on_elsewhere_is_busy(postgres_site, tenancy):
    with tenancy._provisioning.leases.hold(f"tenant:{tenancy.tenant('a').id}"), pytest.raises(errors.OperationBusy):
        tenancy.secrets.rotate_password("a")

    assert stored(postgres_site, tenancy) == {"a": True}


def test_a_deleted_tenant_leaves_neither_login(postgres_site, tenancy):
    tenancy.secrets.rotate_password("a")

    tenancy.delete("a")

    assert tenancy.orphans() == []


POINTS = ["before:draw", "after:draw", "after:make_login", "before:switch", "after:switch"]


@pytest.mark.faults
@pytest.mark.parametrize("points", [*((point,) for point in POINTS), ("after:draw", "after:make_login", "after:switch")], ids="-".join)
def test_killed_at_any_point_a_login_works_and_the_rotation_can_be_run_again(postgres_site, tenancy, points):
    site, exits, roles = postgres_site, [], []
    for point in points:
        order = {"catalog_url": site.catalog_url, "server_url": site.server_url, "migrations": str(site.migrations)}
        order |= {"keys": site.keys.to_text(), "point": point}
        process = multiprocessing.get_context("forkserver").Process(target=runpy.run_path, args=(str(WORKER), {"ORDER": order}))
        process.start()
        process.join(60)
        exits.append(process.exitcode)
        tenancy._registry.forget()
        roles.append(role_in(tenancy)[-1])
    fresh = site.tenancy()
    roles.append(role_in(fresh)[-1])

    rotated = fresh.secrets.rotate_password("a", drain_s=0)

    assert set(exits) == {-signal.SIGKILL}
    assert roles == ["b" if point == "after:switch" else "a" for point in (*points, points[-1])]
    assert role_in(fresh) == rotated
    assert rotated[-1] != roles[-1]
    assert fresh.orphans() == []


def test_a_fleet_under_load_never_fails_while_its_passwords_are_rotated(postgres_site):
    tenancy = postgres_site.tenancy(cache_ttl_s=0)
    postgres_site.make(tenancy, "a")
    seen, heard, rotated = [], queue.Queue(), threading.Event()

    def serve(_):
        for _ in range(500):
            seen.append(role_in(tenancy)[-1])
            heard.put(seen[-1])
            if rotated.is_set():
                break

    with ThreadPoolExecutor(2) as threads:
        serving = threads.map(serve, range(2))
        for _ in range(3):
            heard.get(timeout=10)
            tenancy.secrets.rotate_password("a", drain_s=0)
        rotated.set()
        list(serving)

    assert role_in(tenancy)[-1] == "b"
    assert seen[0] == "a"


SPECIAL = "".join(map(chr, range(33, 127))) + " %41%2F+é€😀\t"


PASSWORDS = [SPECIAL, "@:/?#[]!$&'()*+,;=%", "'; DROP ROLE x; --", "\\", '"', "a b", "%s", "{}", " leading and trailing "]


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_of_any_characters_survives_the_url_and_the_server(postgres_site, tenancy, password):
    tenant, provisioner = tenancy.tenant("a"), tenancy._sites["main"].provisioner
    place = Place(database=tenant.database)
    login = Login(role=place.logins[1], password=password)
    with provisioner.work("a test") as worker:
        worker.make_login(place, login)

    url = provisioner.url(place, login)
    again = make_url(url.render_as_string(hide_password=False))
    engine = tenancy._sites["main"].engines.once(tenant, again)
    with engine.connect() as connection:
        role = connection.scalar(text("SELECT session_user"))
    engine.dispose()

    assert (again.password, role) == (password, login.role)
    assert password not in repr(url) + repr(login) + str(url) or len(password) == 1
