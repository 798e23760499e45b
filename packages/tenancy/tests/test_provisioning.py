from __future__ import annotations

import pytest
from sqlalchemy import select

from roomtone_tenancy import Server, TenantState
from roomtone_tenancy.errors import ProvisioningFailed, TemplateGone
from roomtone_tenancy.provisioners import Login, Place, provisioner_for


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


def test_a_step_that_fails_is_named_and_the_next_run_goes_on_there(site):
    disk_is_full = [True]

    def seed(session, tenant):
        session.add(site.Artist(name=tenant.key))
        if disk_is_full.pop():
            disk_is_full.append(False)
            raise OSError("no space left on device")

    tenancy = site.tenancy(seed=seed)
    site.register(tenancy, "acme")

    with pytest.raises(ProvisioningFailed, match="no space left") as failed:
        tenancy.provision("acme")
    progress = tenancy.progress("acme")
    tenancy.provision("acme")

    assert (failed.value.step, progress.is_done) == ("seed", False)
    assert "no space left" in str(progress.error)
    with tenancy.use("acme"), tenancy.session() as session:
        assert session.scalars(select(site.Artist.name)).all() == ["acme"]


def test_a_template_that_was_replaced_is_told_from_other_failures(site):
    provisioner = provisioner_for(Server("main", site.server_url))
    place = Place(database="rt_test_gone")

    with provisioner.work("a lock") as worker:
        if provisioner.has_roles:
            worker.make_roles(place, Login(role=place.logins[0], password="a password"))
        with pytest.raises(TemplateGone, match="rt_no_such_template"):
            worker.clone(place, "rt_no_such_template", tenant_id="t")
