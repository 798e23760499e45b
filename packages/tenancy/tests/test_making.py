"""Databases in the making: together, against the odds, and taken back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from roomtone_tenancy import Server, TenantState, errors
from roomtone_tenancy.events import StepFinished
from roomtone_tenancy.models import CredentialRow, TemplateRow
from roomtone_tenancy.provisioners.sqlite_files import file_of

WITH_A_ROW = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        room = op.create_table(
            "room", sa.Column("id", sa.Integer, sa.Identity(), primary_key=True), sa.Column("name", sa.String(80))
        )
        op.bulk_insert(room, [{"name": "Hall"}, {"name": "Booth"}])
"""


def left_on_the_server(site, tenancy):
    return sorted(name for each in tenancy._sites.by_name.values() for name in each.provisioner.names("rt_"))


def test_two_processes_that_register_the_same_key_make_one_tenant(site):
    first, second = site.tenancy(), site.tenancy()
    start, outcomes = threading.Barrier(2), []

    def register(tenancy):
        start.wait(10)
        try:
            outcomes.append(site.register(tenancy, "acme").key)
        except errors.TenantExists:
            outcomes.append("exists")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(register, [first, second]))
    first.provision("acme")

    assert sorted(outcomes) == ["acme", "exists"]
    assert first.orphans() == []


def test_two_processes_that_provision_the_same_tenant_make_one_database(site):
    first, second = site.tenancy(), site.tenancy()
    site.register(first, "acme")
    start, outcomes = threading.Barrier(2), []

    def provision(tenancy):
        start.wait(10)
        try:
            outcomes.append(tenancy.provision("acme").state)
        except errors.OperationBusy:
            outcomes.append("busy")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(provision, [first, second]))

    assert TenantState.ACTIVE in outcomes
    assert set(outcomes) <= {TenantState.ACTIVE, "busy"}
    assert first.orphans() == []


def test_ten_threads_make_ten_tenants_at_once(site):
    tenancy = site.tenancy()
    keys = [f"t{number}" for number in range(10)]
    for key in keys:
        site.register(tenancy, key)

    with ThreadPoolExecutor(10) as threads:
        made = list(threads.map(tenancy.provision, keys))

    assert {tenant.state for tenant in made} == {TenantState.ACTIVE}
    assert len({tenant.database for tenant in made}) == 10
    assert tenancy.orphans() == []


def test_a_server_that_is_away_leaves_the_tenant_pending_and_the_next_run_heals_it(postgres_site):
    away = postgres_site.tenancy(servers=[Server("main", "postgresql+psycopg://nobody@127.0.0.1:1/postgres")])
    postgres_site.register(away, "acme")

    with pytest.raises(errors.ProvisioningFailed) as caught:
        away.provision("acme")
    pending = away.pending()
    back = postgres_site.tenancy()

    assert (caught.value.step, pending) == ("connection", ["acme"])
    assert "OperationalError" in back.progress("acme").error
    assert back.provision("acme").state is TenantState.ACTIVE


def test_a_tenant_read_before_somebody_began_with_it_and_died_is_finished(postgres_site):
    away = postgres_site.tenancy(servers=[Server("main", "postgresql+psycopg://nobody@127.0.0.1:1/postgres")])
    postgres_site.register(away, "acme")
    back = postgres_site.tenancy()
    read = back.tenant("acme")
    with pytest.raises(errors.ProvisioningFailed):
        away.provision("acme")

    made = back._provisioning.run(read, None)

    assert (read.state, made.state) == (TenantState.REQUESTED, TenantState.ACTIVE)
    assert back.tenant("acme").state is TenantState.ACTIVE


def test_a_half_made_tenant_gives_no_session_and_is_no_business_of_the_fleet(site):
    tenancy = site.tenancy()

    @tenancy.on(StepFinished)
    def stop(event):
        if event.step == "security":
            raise OSError("stop here")

    site.register(tenancy, "acme", domains=["acme.test"])
    with pytest.raises(errors.ProvisioningFailed):
        tenancy.provision("acme")

    with tenancy.use("acme"), pytest.raises(errors.TenantUnavailable):
        tenancy.session()
    assert tenancy.migrate().migrated == ()
    assert tenancy.resolve("acme.test").state is TenantState.PROVISIONING


@pytest.mark.parametrize("step", ["template", "roles", "database", "security", "schema", "stamp", "seed"])
def test_a_create_that_failed_after_any_step_is_taken_back_without_a_trace(site, step):
    if site.kind == "sqlite" and step == "roles":
        step = "database"
    tenancy = site.tenancy(seed=lambda session, tenant: session.add(site.Artist(name="seeded")))
    site.make(tenancy, "first")
    before = left_on_the_server(site, tenancy)

    @tenancy.on(StepFinished)
    def stop(event):
        if (event.operation, event.tenant.key, event.step) == ("provision", "acme", step):
            raise OSError("stop here")

    acme = site.register(tenancy, "acme", domains=["acme.test"])
    with pytest.raises(errors.ProvisioningFailed):
        tenancy.provision("acme")
    tenancy.delete("acme")

    with Session(site.catalog) as session:
        secrets = session.scalars(select(CredentialRow).where(CredentialRow.tenant_id == acme.id)).all()
    assert (left_on_the_server(site, tenancy), secrets, tenancy.orphans(), tenancy.pending()) == (before, [], [], [])
    assert site.register(tenancy, "acme", domains=["acme.test"]).id != acme.id


def test_identity_columns_go_on_after_the_rows_that_the_template_brought(postgres_site):
    postgres_site.add_revision("r2", WITH_A_ROW)
    tenancy = postgres_site.tenancy()
    postgres_site.make(tenancy, "acme")

    with tenancy.use("acme"), tenancy.session() as session:
        new = session.scalars(text("INSERT INTO room (name) VALUES ('Shed') RETURNING id")).one()
        names = session.scalars(text("SELECT name FROM room ORDER BY id")).all()

    assert (new, names) == (3, ["Hall", "Booth", "Shed"])


def test_a_template_in_use_is_waited_for(postgres_site):
    tenancy = postgres_site.tenancy()
    tenancy.migrate()
    template = tenancy._templates.current("main")
    postgres_site.register(tenancy, "acme")
    with postgres_site.admin() as admin:
        admin.execute(f"ALTER DATABASE {template} ALLOW_CONNECTIONS true")
        visitor = postgres_site.admin(template)
        made = []
        thread = threading.Thread(target=lambda: made.append(tenancy.provision("acme").state))
        thread.start()
        cloning = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%%TEMPLATE%%' AND query LIKE %s AND state = 'active'"
        while not admin.execute(cloning, [f"%{template}%"]).fetchone():
            assert thread.is_alive()
        visitor.close()
        thread.join(60)

    assert made == [TenantState.ACTIVE]


def test_a_template_of_another_collation_version_is_built_anew(postgres_site):
    tenancy = postgres_site.tenancy()
    tenancy.migrate()
    before = tenancy._templates.current("main")
    with postgres_site.admin() as admin:
        admin.execute("UPDATE pg_database SET datcollversion = '0.0' WHERE datname = %s", [before])

    tenant = postgres_site.make(tenancy, "acme")

    assert tenant.state is TenantState.ACTIVE
    assert tenancy._templates.current("main") not in (before, None)
    assert tenancy.orphans() == []


def test_what_a_killed_builder_left_is_dropped_by_the_next_migration(site):
    tenancy = site.tenancy()
    tenancy.migrate()
    with Session(site.catalog) as session, session.begin():
        left = session.scalars(select(TemplateRow.database)).one()
        session.execute(update(TemplateRow).values(revision=None))

    tenancy.migrate()

    assert left not in tenancy._templates.names()
    assert not [name for name in left_on_the_server(site, tenancy) if name.startswith(left)]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\0b", "A", "ä", "a.b", "a" * 64, "con:", "a%2f", ".."])
def test_no_name_leads_out_of_the_folder_or_means_two_things(tmp_path, name):
    with pytest.raises(errors.UnsafePath):
        file_of(tmp_path, name)


def test_a_link_in_the_folder_is_not_followed(sqlite_site, tmp_path):
    tenancy = sqlite_site.tenancy()
    tenant = sqlite_site.register(tenancy, "acme")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("not a tenant")
    (tmp_path / "tenants").mkdir(exist_ok=True)
    (tmp_path / "tenants" / f"{tenant.database}.sqlite3").symlink_to(elsewhere)

    with pytest.raises(errors.ProvisioningFailed, match="UnsafePath"):
        tenancy.provision("acme")
    with pytest.raises(errors.DeletionFailed, match="UnsafePath"):
        tenancy.delete("acme")

    assert elsewhere.read_text() == "not a tenant"


def test_a_new_file_replays_no_journal_that_another_one_left(sqlite_site, tmp_path):
    tenancy = sqlite_site.tenancy()
    tenant = sqlite_site.register(tenancy, "acme")
    (tmp_path / "tenants").mkdir(exist_ok=True)
    stale = [tmp_path / "tenants" / f"{tenant.database}.sqlite3{end}" for end in ("-wal", "-shm", "-journal")]
    for path in stale:
        path.write_bytes(b"stale")

    tenancy.provision("acme")

    with tenancy.use("acme"), tenancy.session() as session:
        assert session.scalars(select(sqlite_site.Artist)).all() == []
    assert not any(path.exists() and path.read_bytes() == b"stale" for path in stale)
