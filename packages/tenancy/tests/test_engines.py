"""Sessions on real databases: proof of identity, read-only, suspension, and the budget as the server counts it."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from roomtone_tenancy import PoolLimits, errors
from roomtone_tenancy.provisioners import Place


def name_of(tenancy, site, key):
    with tenancy.use(key), tenancy.session() as session:
        return session.scalars(select(site.Artist.name)).first()


def write(tenancy, site, key, **options):
    with tenancy.use(key), tenancy.session(**options) as session:
        session.add(site.Artist(name="written"))
        session.commit()


def test_the_database_refuses_writes_of_a_read_only_tenant_until_it_is_resumed(site):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    write(tenancy, site, "a")
    site.change(tenancy.read_only, "a", reason="unpaid")

    with pytest.raises(errors.TenantReadOnly) as caught:
        write(tenancy, site, "a")
    read = name_of(tenancy, site, "a")
    site.change(tenancy.resume, "a", reason="paid")
    write(tenancy, site, "a")

    assert (caught.value.key, read) == ("a", "written")


def test_a_read_only_transaction_cannot_be_made_writable_from_inside(postgres_site):
    tenancy = postgres_site.tenancy()
    postgres_site.make(tenancy, "a")
    postgres_site.change(tenancy.read_only, "a", reason="unpaid")
    with tenancy.use("a"), tenancy.session() as session, pytest.raises(Exception, match="read-write mode"):
        session.execute(text("SET TRANSACTION READ WRITE"))

    with tenancy.use("a"), tenancy.session() as session, pytest.raises(errors.TenantReadOnly):
        session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_suspended_tenant_gets_no_session_and_an_open_one_no_transaction(site, elsewhere):
    tenancy = site.tenancy(cache_ttl_s=0, listen=False)
    site.make(tenancy, "a")
    with tenancy.use("a"), tenancy.session() as session:
        session.scalars(select(site.Artist)).all()
        session.commit()
        site.change((site.tenancy() if elsewhere else tenancy).suspend, "a", reason="unpaid")

        with pytest.raises(errors.TenantUnavailable) as caught:
            session.scalars(select(site.Artist)).all()
        with pytest.raises(errors.TenantUnavailable):
            tenancy.session()
    assert caught.value.state == "suspended"


def test_a_half_made_tenant_gets_no_session(site):
    tenancy = site.tenancy()
    site.register(tenancy, "a")

    with tenancy.use("a"), pytest.raises(errors.TenantUnavailable):
        tenancy.session()


def test_a_database_with_anothers_stamp_is_refused(site):
    tenancy = site.tenancy()
    a, b = site.make(tenancy, "a"), site.make(tenancy, "b")
    with tenancy._sites["main"].provisioner.owner_connection(Place(database=a.database)) as connection:
        connection.execute(text("UPDATE tenancy_stamp SET tenant_id = :other"), {"other": b.id})  # as after a mixed-up restore
        connection.commit()

    with tenancy.use("a"), tenancy.session() as session, pytest.raises(errors.StampMismatch) as caught:
        session.connection()

    assert (caught.value.key, caught.value.expected, caught.value.found) == ("a", a.id, b.id)


def test_a_database_without_a_stamp_is_refused(site):
    tenancy = site.tenancy()
    tenant = site.make(tenancy, "a")
    with tenancy._sites["main"].provisioner.owner_connection(Place(database=tenant.database)) as connection:
        connection.execute(text("DROP TABLE tenancy_stamp"))
        connection.commit()

    with tenancy.use("a"), tenancy.session() as session, pytest.raises(errors.StampMismatch) as caught:
        session.connection()

    assert caught.value.found is None


def test_the_server_never_sees_more_connections_than_the_budget(postgres_site):
    site = postgres_site
    tenancy = site.tenancy(pools=PoolLimits(per_tenant=2, per_server=3, wait_s=30))
    keys = [f"t{number}" for number in range(5)]
    for key in keys:
        site.make(tenancy, key)
    names = [tenancy.tenant(key).database for key in keys]
    seen = []

    def work(number):
        with tenancy.use(keys[number % 5]), tenancy.session() as session:
            session.execute(text("SELECT 1"))
            seen.append(tenancy._sites["main"].engines.budget.open_count)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(60)))

    with site.admin() as admin:
        live = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s)", [names]).fetchone()[0]
    assert max(seen) <= 3
    assert live <= 3


def test_a_tenant_at_its_share_waits_and_then_gets_a_clear_error(site):
    tenancy = site.tenancy(pools=PoolLimits(per_tenant=1, per_server=5, wait_s=0))
    for key in ("a", "b"):
        site.make(tenancy, key)
    with tenancy.use("a"), tenancy.session() as first, tenancy.session() as second:
        first.execute(text("SELECT 1"))

        with pytest.raises(errors.BudgetExhausted) as caught:
            second.execute(text("SELECT 1"))
        with tenancy.use("b", allow_switch=True), tenancy.session() as other:
            other.execute(text("SELECT 1"))
    assert (caught.value.tenant, caught.value.holders) == ("a", {"a": 1})


def test_a_connection_left_in_a_broken_transaction_is_clean_for_the_next(site):
    tenancy = site.tenancy(pools=PoolLimits(per_tenant=1, wait_s=0))
    site.make(tenancy, "a")
    with tenancy.use("a"), tenancy.session() as session, pytest.raises(Exception, match="nothing_here"):
        session.execute(text("SELECT * FROM nothing_here"))

    assert name_of(tenancy, site, "a") is None


def test_a_killed_backend_is_replaced_at_the_next_use(postgres_site):
    site = postgres_site
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    name_of(tenancy, site, "a")
    with site.admin() as admin:
        end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"  # waits until it is gone
        admin.execute(end, [tenancy.tenant("a").database])

    assert name_of(tenancy, site, "a") is None
    assert tenancy._sites["main"].engines.budget.open_count == 1


def test_every_tenants_engine_shares_one_dialect_and_one_statement_cache(site):
    tenancy = site.tenancy()
    engines = []
    for key in ("a", "b"):
        site.make(tenancy, key)
        with tenancy.use(key), tenancy.session() as session:
            session.scalars(select(site.Artist)).all()
            engines.append(session.get_bind())
    a, b = engines

    assert a is not b
    assert a.dialect is b.dialect
    assert a._compiled_cache is b._compiled_cache


def test_engines_beyond_the_bound_are_forgotten_with_their_idle_connections(site):
    tenancy = site.tenancy(pools=PoolLimits(engines=1))
    for key in ("a", "b"):
        site.make(tenancy, key)
        name_of(tenancy, site, key)
    engines = tenancy._sites["main"].engines

    assert list(engines._engines) == [tenancy.tenant("b").id]
    assert engines.budget.open_count == 1
    assert name_of(tenancy, site, "a") is None


def test_passwords_are_in_no_repr_and_no_message(postgres_site):
    tenancy = postgres_site.tenancy()
    tenant = postgres_site.make(tenancy, "a")
    password = tenancy._credentials.current(tenant.id).password
    with tenancy.use("a"), tenancy.session() as session:
        texts = [repr(session.get_bind()), repr(session.get_bind().pool.status()), repr(tenancy._sites), repr(tenancy._provisioning)]

    assert len(password) >= 32
    assert not any(password in each for each in texts)


def test_a_carried_context_reaches_the_database_of_its_tenant(site):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    write(tenancy, site, "a")

    def read():
        with tenancy.session() as session:
            return session.scalars(select(site.Artist.name)).all()

    with tenancy.use("a"), ThreadPoolExecutor(1) as threads:
        assert threads.submit(contextvars.copy_context().run, read).result() == ["written"]
