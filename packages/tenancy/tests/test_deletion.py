from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from roomtone_tenancy import errors
from roomtone_tenancy.models import CredentialRow


def test_a_deleted_tenant_leaves_no_database_no_role_no_secret_and_its_key_starts_empty(site):
    tenancy = site.tenancy()
    first = site.make(tenancy, "a", domains=["a.test"])
    with tenancy.use("a"), tenancy.session() as session:
        session.add(site.Artist(name="old"))
        session.commit()

    tenancy.delete("a")
    leftovers = tenancy.orphans()
    with site.catalog.connect() as connection:
        secrets = connection.execute(select(CredentialRow)).all()
    with pytest.raises(errors.UnknownHost):
        tenancy.resolve("a.test")
    second = site.make(tenancy, "a", domains=["a.test"])

    assert (leftovers, secrets) == ([], [])
    assert (second.id != first.id, second.database != first.database) == (True, True)
    with tenancy.use("a"), tenancy.session() as session:
        assert session.scalars(select(site.Artist)).all() == []


def test_a_database_in_use_by_another_process_is_dropped_and_does_not_come_back(site):
    here, elsewhere = site.tenancy(cache_ttl_s=0), site.tenancy(cache_ttl_s=3600, listen=False)
    site.make(here, "a")
    with elsewhere.use("a"), elsewhere.session() as session:
        session.execute(text("SELECT 1"))
        session.commit()
    elsewhere_holds = elsewhere.tenant("a")

    here.delete("a")

    with elsewhere.use(elsewhere_holds), elsewhere.session() as session:
        if site.kind == "postgresql":
            with pytest.raises(DBAPIError):
                session.execute(text("SELECT 1"))
    assert here.orphans() == []


def test_a_tenant_that_never_got_its_database_can_be_deleted(site):
    tenancy = site.tenancy()
    site.register(tenancy, "a")

    tenancy.delete("a")

    assert not tenancy.exists("a")
    assert tenancy.pending() == tenancy.pending("delete") == []


def test_a_failing_drop_keeps_the_row_and_can_be_tried_again(site, monkeypatch):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    with tenancy._sites["main"].provisioner.work("probe") as worker:
        kind = type(worker)

    def fail(*_):
        raise OSError("disk away")

    with monkeypatch.context() as patched:
        patched.setattr(kind, "drop_database", fail)
        with pytest.raises(errors.DeletionFailed) as caught:
            tenancy.delete("a")
    state = tenancy.tenant("a").state
    with pytest.raises(errors.TenantUnavailable):
        tenancy.provision("a")
    tenancy.delete("a")

    assert (caught.value.step, state) == ("database", "deleting")
    assert not tenancy.exists("a")


def test_a_tenant_being_provisioned_elsewhere_is_not_deleted_under_its_feet(site):
    tenancy = site.tenancy()
    tenant = site.register(tenancy, "a")

    with tenancy._provisioning.leases.hold(f"tenant:{tenant.id}"), pytest.raises(errors.OperationBusy):
        tenancy.delete("a")

    assert tenancy.tenant("a").state == "requested"


def test_stale_companions_of_a_sqlite_file_go_with_it(sqlite_site, tmp_path):
    tenancy = sqlite_site.tenancy()
    tenant = sqlite_site.make(tenancy, "a")
    for companion in ("-wal", "-shm", "-journal"):
        (tmp_path / "tenants" / f"{tenant.database}.sqlite3{companion}").touch()
    neighbour = tmp_path / "tenants" / f"{tenant.database}1.sqlite3"
    neighbour.touch()

    tenancy.delete("a")

    assert [path.name for path in (tmp_path / "tenants").glob(f"{tenant.database}*")] == [neighbour.name]
