from __future__ import annotations

import pytest

from roomtone_tenancy.testing import fingerprint, temporary_tenant, untouched


def test_a_temporary_tenant_is_active_and_gone_afterwards(sqlite_site):
    tenancy = sqlite_site.tenancy()
    with temporary_tenant(tenancy, sqlite_site.catalog, domains=("x.test",)) as tenant:
        state = tenancy.resolve("x.test").state

    assert state == "active"
    assert not tenancy.exists(tenant.key)


def test_a_change_is_detected_and_none_is_not(sqlite_site):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "a")
    before = fingerprint(tenancy, "a")
    with untouched(tenancy, "a"):
        pass

    def leak():
        with untouched(tenancy, "a"), tenancy.use("a"), tenancy.session() as session:
            session.add(sqlite_site.Artist(name="leaked"))
            session.commit()

    with pytest.raises(AssertionError, match="'a' changed"):
        leak()
    assert fingerprint(tenancy, "a") != before
