from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, select

from roomtone_tenancy import TenantState, errors


def test_a_thousand_first_requests_at_once_read_the_catalog_once(site):
    tenancy = site.tenancy(listen=False, cache_ttl_s=3600, catalog_timeout_s=20)
    site.make(tenancy, "acme", domains=["acme.test"])
    before = tenancy.cache_stats()

    with ThreadPoolExecutor(32) as threads:
        keys = {tenant.key for tenant in threads.map(tenancy.resolve, ["acme.test"] * 1000)}

    after = tenancy.cache_stats()
    assert keys == {"acme"}
    assert (after.loads - before.loads, after.hits + after.misses - before.hits - before.misses) == (1, 1000)


def test_who_looked_up_a_host_need_not_look_up_its_tenant(site):
    tenancy = site.tenancy(listen=False, cache_ttl_s=3600)
    site.make(tenancy, "acme", domains=["acme.test"])
    elsewhere = site.tenancy(listen=False, cache_ttl_s=3600)

    found = elsewhere.resolve("acme.test")

    assert elsewhere.tenant("acme") is found
    assert elsewhere.cache_stats().loads == 1


def test_the_first_query_of_a_tenant_asks_the_catalog_once(postgres_site):
    maker, tenancy = postgres_site.tenancy(), postgres_site.tenancy(listen=False)
    asked = []

    def visit(host):
        with tenancy.use(tenancy.resolve(host)), tenancy.session() as session:
            session.scalars(select(postgres_site.Artist)).all()

    for key in ("first", "acme"):
        postgres_site.make(maker, key, domains=[f"{key}.test"])
    visit("first.test")  # also asks for the server
    event.listen(tenancy._lookups.reader._engine, "checkout", lambda *_: asked.append(1))
    visit("acme.test")

    assert len(asked) == 1


def test_a_looked_up_login_is_given_once_and_never_after_it_was_replaced(postgres_site):
    maker, tenancy = postgres_site.tenancy(), postgres_site.tenancy(listen=False, cache_ttl_s=0)
    postgres_site.make(maker, "acme", domains=["acme.test"])
    found = tenancy.resolve("acme.test")
    given = [tenancy._lookups.take_login(found) for _ in range(2)]
    tenancy.resolve("acme.test")
    maker.secrets.rotate_password("acme")

    assert [login is None for login in given] == [False, True]
    assert tenancy._lookups.take_login(maker.tenant("acme")) is None


def test_a_half_made_tenant_is_seen_as_such_and_read_anew_each_time_until_it_is_ready(site):
    tenancy = site.tenancy(listen=False, cache_ttl_s=3600)
    site.register(tenancy, "acme", domains=["acme.test"])
    before = tenancy.resolve("acme.test").state
    elsewhere = site.tenancy(listen=False, cache_ttl_s=3600)
    elsewhere.resolve("acme.test")

    tenancy.provision("acme")

    assert before is TenantState.REQUESTED
    assert elsewhere.resolve("acme.test").state is TenantState.ACTIVE


def test_hostile_host_headers_fill_no_memory(site):
    tenancy = site.tenancy(listen=False, cache_entries_max=5)

    for number in range(20):
        with pytest.raises(errors.UnknownHost):
            tenancy.resolve(f"h{number}.test")

    assert tenancy.cache_stats().entries == 5
