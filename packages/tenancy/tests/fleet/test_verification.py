from __future__ import annotations

import pytest
from sqlalchemy import MetaData, text, update
from sqlalchemy.orm import Session

from roomtone_tenancy.fleet.verification import DriftKind
from roomtone_tenancy.models import TenantRow
from roomtone_tenancy.provisioners import Place


def set_row(site, key, **values):
    with Session(site.catalog) as session, session.begin():
        session.execute(update(TenantRow).where(TenantRow.key == key).values(values))


def as_owner(tenancy, key, *statements):
    tenant = tenancy.tenant(key)
    with tenancy._sites[tenant.server].provisioner.owner_connection(Place(database=tenant.database)) as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()


def found(verification):
    return [(drift.key, drift.kind) for drift in verification.drift]


def test_every_planted_drift_is_found_and_said(site, make_fleet, static):
    make_fleet(5)
    site.add_revision("r2", static)
    tenancy = site.tenancy(cache_ttl_s=0)
    tenancy.migrate()
    set_row(site, "t000", revision="r1")  # the catalog lags behind
    as_owner(tenancy, "t001", "UPDATE alembic_version SET version_num = 'r1'")  # a restored database
    as_owner(tenancy, "t002", "UPDATE tenancy_stamp SET tenant_id = 'somebody'")
    set_row(site, "t003", database="gone")

    verification = tenancy.fleet.verify(parallel=2)

    assert found(verification) == [
        ("t000", DriftKind.REVISION),
        ("t001", DriftKind.REVISION),
        ("t002", DriftKind.STAMP),
        ("t003", DriftKind.UNREACHABLE),
    ]
    assert (verification.checked, verification.is_clean) == (5, False)
    assert all(str(drift).startswith(drift.key) for drift in verification.drift)
    assert verification.to_json()["drift"][0] == {"tenant": "t000", "kind": "revision", "expected": "r1", "found": "r2"}


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_repair_writes_the_databases_truth_into_the_catalog_and_then_a_run_is_enough(site, make_fleet, static):
    make_fleet(3)
    site.add_revision("r2", static)
    tenancy = site.tenancy(cache_ttl_s=0)
    set_row(site, "t000", revision="r2")  # the catalog says more than is true
    set_row(site, "t001", revision=None)

    repaired = tenancy.fleet.verify(repair=True)
    after = tenancy.fleet.verify()
    tenancy.migrate()

    assert repaired.repaired == ("t000", "t001")
    assert {kind for _, kind in found(after)} == {DriftKind.BEHIND}
    assert tenancy.fleet.verify().is_clean


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_where_chooses_and_each_is_told(site, make_fleet):
    tenancy, told = make_fleet(3), []

    verification = tenancy.fleet.verify(lambda tenant: tenant.key != "t001", on_tenant=told.append)

    assert (verification.checked, told) == (2, ["t000", "t002"])


def test_a_schema_that_somebody_changed_by_hand_is_found(site, make_fleet):
    make_fleet(2)
    tenancy = site.tenancy(metadata=site.Artist.metadata)
    plain = tenancy.fleet.verify(schema=True)
    as_owner(tenancy, "t001", "ALTER TABLE artist ADD COLUMN by_hand integer")

    changed = tenancy.fleet.verify(schema=True)

    assert plain.drift == changed.drift[:0]
    assert [(drift.key, drift.kind, drift.found) for drift in changed.drift] == [
        ("t001", DriftKind.SCHEMA, "remove column artist by_hand"),
    ]


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_comparing_schemas_needs_the_tables(site):
    with pytest.raises(ValueError, match="metadata"):
        site.tenancy(metadata=None).fleet.verify(schema=True)
    assert site.tenancy(metadata=MetaData()).fleet.verify(schema=True).is_clean


def test_an_index_left_half_built_is_found(postgres_site):
    site = postgres_site
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    with site.admin(tenancy.tenant("a").database) as admin:
        admin.execute("INSERT INTO artist (name) VALUES ('x'), ('x')")
        with pytest.raises(Exception, match="could not create unique index"):
            admin.execute("CREATE UNIQUE INDEX CONCURRENTLY half ON artist (name)")

    verification = tenancy.fleet.verify()

    assert [(drift.kind, drift.found) for drift in verification.drift] == [(DriftKind.INVALID_INDEX, "half")]
