from __future__ import annotations

from sqlalchemy import select

from roomtone_tenancy import TenantState


def test_a_registered_tenant_becomes_active_with_a_database_of_its_own(site, extension):
    site.add_revision("r2", extension)
    tenancy = site.tenancy()
    registered = site.register(tenancy, "acme", domains=["acme.test"], metadata={"plan": "pro"})

    tenant = tenancy.provision("acme")

    assert (registered.state, tenant.state) == (TenantState.REQUESTED, TenantState.ACTIVE)
    assert (tenant.revision, tenant.domains, tenant.metadata) == ("r2", ("acme.test",), {"plan": "pro"})
    with tenancy.use("acme"), tenancy.session() as session:
        session.add(site.Artist(name="Ann"))
        session.commit()
        assert session.scalars(select(site.Artist.name)).all() == ["Ann"]
    assert tenancy.progress("acme").is_done
    assert all(step.seconds is not None for step in tenancy.progress("acme").steps)
    assert tenancy.orphans() == []


def test_two_tenants_have_two_databases(site):
    tenancy = site.tenancy()
    for key in ("a", "b"):
        site.make(tenancy, key)
        with tenancy.use(key), tenancy.session() as session:
            session.add(site.Artist(id=1, name=f"of {key}"))
            session.commit()

    names = {}
    for key in ("a", "b"):
        with tenancy.use(key), tenancy.session() as session:
            names[key] = session.get_one(site.Artist, 1).name

    assert names == {"a": "of a", "b": "of b"}
    assert tenancy.tenant("a").database != tenancy.tenant("b").database


def test_provisioning_again_changes_nothing(site):
    tenancy = site.tenancy()
    before = site.make(tenancy, "acme")

    again = tenancy.provision("acme")

    assert again == before
    assert tenancy.progress("acme").attempts == 1
