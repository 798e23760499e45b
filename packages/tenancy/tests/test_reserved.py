from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from roomtone_tenancy import Reserved, errors
from roomtone_tenancy.key import check
from roomtone_tenancy.reserved import KEYS

LABELS = st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=4)


@pytest.mark.parametrize("key", ["www", "api", "admin", "app", "mail", "postmaster", "xn--80ak6aa92e", "ab--c"])
def test_a_key_that_could_pass_for_the_platforms_own_is_refused_before_anything_is_written(site, key):
    tenancy = site.tenancy()

    with pytest.raises(errors.ReservedKey, match=f"'{key}' is reserved"):
        site.register(tenancy, key)

    assert tenancy.tenants() == []


def test_the_list_can_be_replaced(sqlite_site):
    tenancy = sqlite_site.tenancy(reserved=Reserved(keys=frozenset({"studio"})))

    assert sqlite_site.register(tenancy, "www").key == "www"
    with pytest.raises(errors.ReservedKey):
        sqlite_site.register(tenancy, "studio")


def test_every_key_of_the_list_could_have_been_a_tenants():
    assert all(check(key) == key for key in KEYS)


@given(LABELS, LABELS)
def test_a_reserved_host_covers_itself_and_what_is_below_it_and_nothing_else(host, other):
    reserved = Reserved(hosts=[".".join(host)])

    assert reserved.has_host(".".join(other)) == (other[-len(host) :] == host)


def test_no_tenant_claims_the_platforms_hosts_but_the_platform_may_give_them(site):
    tenancy = site.tenancy(reserved=Reserved(hosts=["Platform.example."]))
    site.make(tenancy, "a", domains=["a.platform.example"])

    with Session(site.catalog) as session, session.begin():
        for host in ("platform.example", "login.platform.example"):
            with pytest.raises(errors.ReservedHost, match="the platform's own"):
                tenancy.domains.add(session, "a", host)
        given_host = tenancy.domains.add(session, "a", "b.platform.example", verified=True)
        claimed = tenancy.domains.add(session, "a", "notplatform.example")

    assert (given_host.is_verified, claimed.is_verified) == (True, False)
