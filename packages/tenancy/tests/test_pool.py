"""What one borrower of a connection leaves to the next, and how the server itself counts."""

from __future__ import annotations

import gc
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import DBAPIError

from roomtone_tenancy import PoolLimits, errors

DIRT = {
    "aborted transaction": ("SELECT * FROM nothing_here", "SELECT 'clean'", "clean"),
    "role": ("SET ROLE NONE", "SELECT current_setting('role')", "none"),
    "search_path": ("SET search_path = pg_catalog", "SHOW search_path", "public"),
    "setting": ("SET statement_timeout = '1ms'", "SHOW statement_timeout", "30s"),
    "own setting": ("SELECT set_config('app.user', 'eve', false)", "SELECT coalesce(current_setting('app.user', true), '')", ""),
    "advisory lock": ("SELECT pg_advisory_lock(42)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 0),
    "listening": ("LISTEN gossip", "SELECT count(*) FROM pg_listening_channels()", 0),
    "cursor": ("DECLARE held CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors WHERE name = 'held'", 0),
    "temporary table": ("CREATE TEMPORARY TABLE left_over (id int)", "SELECT to_regclass('pg_temp.left_over')::text", None),
}  # fmt: skip


@pytest.fixture
def one(postgres_site):
    """A tenancy whose tenant `a` has one connection."""
    tenancy = postgres_site.tenancy(pools=PoolLimits(per_tenant=1, wait_s=0))
    postgres_site.make(tenancy, "a")
    return tenancy


def backend(tenancy, key="a"):
    with tenancy.use(key), tenancy.session() as session:
        return session.scalar(text("SELECT pg_backend_pid()"))


def test_no_dirt_of_a_session_reaches_its_next_borrower(one, postgres_site):
    with postgres_site.admin() as admin:
        admin.execute(f'GRANT TEMPORARY ON DATABASE "{one.tenant("a").database}" TO PUBLIC')  # the library grants it to nobody
    first = backend(one)
    for name, (mess, look, clean) in DIRT.items():
        with one.use("a"), one.session() as session, suppress(DBAPIError):
            session.execute(text(mess))
            session.commit()
        with one.use("a"), one.session() as session:
            assert session.scalar(text(look)) == clean, name

    assert backend(one) == first


def test_a_driver_setting_does_not_reach_the_next_borrower(one):
    with one.use("a"), one.session() as session:
        raw = session.connection().connection.driver_connection
        raw.rollback()
        raw.autocommit = raw.read_only = True
    with one.use("a"), one.session() as session:
        raw = session.connection().connection.driver_connection

        assert (raw.autocommit, raw.read_only) == (False, None)


def test_a_connection_that_sqlite_left_a_temporary_table_in_is_not_lent_again(sqlite_site):
    tenancy = sqlite_site.tenancy(pools=PoolLimits(per_tenant=1, wait_s=0))
    sqlite_site.make(tenancy, "a")
    with tenancy.use("a"), tenancy.session() as session:
        session.execute(text("CREATE TEMPORARY TABLE left_over (id int)"))
        session.commit()

    with tenancy.use("a"), tenancy.session() as session:
        assert session.scalar(text("SELECT count(*) FROM sqlite_temp_schema")) == 0
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


def test_a_detached_connection_is_closed_and_does_not_escape_the_budget(one):
    with one.use("a"):
        session = one.session()
        fairy = session.connection().connection
        raw = fairy.driver_connection
        fairy.detach()

    assert raw.closed
    assert one.connections()[0].open == 0
    with suppress(DBAPIError):
        session.close()


def test_a_connection_unused_for_long_is_asked_before_it_is_lent(postgres_site):
    tenancy = postgres_site.tenancy(pools=PoolLimits(ping_after_s=0))
    postgres_site.make(tenancy, "a")

    assert backend(tenancy) == backend(tenancy)


def test_a_create_storm_over_many_tenants_never_exceeds_the_budget_on_the_server(postgres_site):
    tenancy = postgres_site.tenancy(pools=PoolLimits(per_tenant=2, per_server=3, wait_s=60))
    keys = [f"t{number}" for number in range(5)]
    for key in keys:
        postgres_site.make(tenancy, key)
    databases = [tenancy.tenant(key).database for key in keys]
    query = "SELECT count(*), array_agg(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND usename <> current_user"
    seen = []

    def work(number):
        with suppress(DBAPIError), tenancy.use(keys[(number * 3) % 5]), tenancy.session() as session:
            session.execute(text("SELECT 1"))
            if number % 10 == 0:
                session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    def watch():
        with postgres_site.admin() as admin:
            while not all(each.done() for each in running):
                seen.append(admin.execute(query, [databases]).fetchone()[0])

    running = []
    with ThreadPoolExecutor(9) as threads:
        running += [threads.submit(work, number) for number in range(120)]
        watch()

    assert max(seen) <= 3
    assert (tenancy.connections()[0].lent, tenancy.connections()[0].waiting) == (0, 0)


def test_a_failed_connect_gives_its_room_back_and_the_dialect_still_learns_from_the_next(postgres_site):
    tenancy = postgres_site.tenancy(pools=PoolLimits(per_server=1, wait_s=0))
    for key in ("a", "b"):
        postgres_site.make(tenancy, key)
    fresh = postgres_site.tenancy(pools=PoolLimits(per_server=1, wait_s=0))
    with postgres_site.admin() as admin:
        admin.execute(f'ALTER DATABASE "{fresh.tenant("a").database}" ALLOW_CONNECTIONS false')

    for _ in range(3):
        with fresh.use("a"), fresh.session() as session, pytest.raises(DBAPIError, match="not currently accepting"):
            session.connection()
    assert fresh.connections()[0].open == 0
    with fresh.use("b"), fresh.session() as session:
        session.connection()
        assert session.get_bind().dialect.server_version_info >= (15,)
        assert session.get_bind().dialect.default_schema_name == "public"


def test_two_servers_share_no_dialect(postgres_site):
    from roomtone_tenancy import Server

    first = postgres_site.tenancy(servers=[Server("main", postgres_site.server_url), Server("other", postgres_site.server_url)])
    dialects = {name: first._sites[name].engines._blueprint.dialect for name in ("main", "other")}

    assert dialects["main"] is not dialects["other"]


def test_a_forked_child_opens_its_own_connections_and_leaves_its_parents_alone(one):
    before = backend(one)
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            status = 0 if backend(one) != before else 2
        os._exit(status)

    assert os.waitpid(child, 0)[1] == 0
    assert backend(one) == before


def test_a_new_epoch_with_another_url_drains_the_old_connections(one):
    engines = one._sites["main"].engines
    tenant = one.tenant("a")
    with one.use("a"), one.session() as session:
        engine = session.get_bind()
        old = session.scalar(text("SELECT pg_backend_pid()"))
        newer = type(tenant)(**{name: getattr(tenant, name) for name in tenant.__slots__} | {"epoch": tenant.epoch + 1})
        same = engines.get(newer, lambda: engine.url)
        newest = type(tenant)(**{name: getattr(tenant, name) for name in tenant.__slots__} | {"epoch": tenant.epoch + 2})
        other = engines.get(newest, lambda: engine.url.update_query_dict({"application_name": "rotated"}))

        assert (same is engine, other is engine) == (True, False)
        assert engines.get(tenant, lambda: engine.url) is other  # a late reader of the older epoch
        assert one.connections()[0].open == 1
    assert one.connections()[0].open == 0
    assert backend(one) != old


def test_a_pool_keeps_no_reference_to_what_used_it(one, postgres_site):
    class Request:
        pass

    request = Request()
    gone = weakref.ref(request)
    with one.use("a"), one.session(info={"request": request}) as session:
        session.scalars(select(postgres_site.Artist)).all()
    del request, session
    gc.collect()

    assert gone() is None
    assert one.connections()[0].idle == 1


def test_a_request_that_found_no_connection_leaves_no_tenant_behind(one):
    with one.use("a"), one.session() as first:
        first.execute(text("SELECT 1"))
        with pytest.raises(errors.BudgetExhausted), one.session() as second:
            second.execute(text("SELECT 1"))
    with pytest.raises(errors.NoTenant):
        _ = one.current


def test_hooks_of_one_tenants_engine_are_those_of_its_server(one):
    with one.use("a"), one.session() as session:
        engine = session.get_bind()

    assert engine.dispatch is one._sites["main"].engines._blueprint.dispatch


@pytest.mark.parametrize("target", ["an engine", "every engine"])
def test_who_listens_late_hears_the_statements_of_a_tenant_known_before(postgres_site, one, request, target):
    postgres_site.make(one, "b")
    backend(one, "b")
    with one.use("a"), one.session() as session:
        listened = session.get_bind() if target == "an engine" else Engine
    heard = []

    def hear(*arguments):
        heard.append(arguments[2])

    event.listen(listened, "before_cursor_execute", hear)
    request.addfinalizer(lambda: event.remove(listened, "before_cursor_execute", hear))
    with one.use("b"), one.session() as session:
        session.execute(text("SELECT 'late'"))

    assert heard.count("SELECT 'late'") == 1
