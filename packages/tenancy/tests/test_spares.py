from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from roomtone_tenancy import TenantState, errors
from roomtone_tenancy.events import SpareClaimed, SpareDropped, SpareMade, StepStarted
from roomtone_tenancy.models import CredentialRow, SpareRow, TemplateRow

SECOND = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.create_table("room", sa.Column("id", sa.Integer, primary_key=True))
"""


def artists(site, tenancy, key):
    with tenancy.use(key), tenancy.session() as session:
        return session.scalars(select(site.Artist.name)).all()


def test_a_tenant_that_gets_a_spare_is_active_with_its_registration(site):
    tenancy = site.tenancy(spares=2)
    made = tenancy.spares.refill()

    registered = site.register(tenancy, "acme", domains=["acme.test"], metadata={"plan": "pro"})

    assert (made, registered.state, registered.revision, registered.domains) == (2, TenantState.ACTIVE, "r1", ("acme.test",))
    assert tenancy.provision("acme") == registered
    assert artists(site, tenancy, "acme") == []
    assert (tenancy.progress("acme").is_done, tenancy.pending(), tenancy.orphans(), tenancy.spares.ready()) == (True, [], [], 1)
    assert [entry.after for entry in tenancy.history("acme")] == ["requested", "provisioning", "active"]


def test_a_spare_is_hardened_like_any_other_database(postgres_site):
    tenancy = postgres_site.tenancy()
    tenancy.spares.refill(1)
    spare, plain = postgres_site.register(tenancy, "spare"), postgres_site.make(tenancy, "plain")

    facts = []
    for tenant in (spare, plain):
        with postgres_site.admin(tenant.database) as admin:
            owners = admin.execute("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
            grants = admin.execute(
                "SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL AND relkind = 'r' ORDER BY 1"
            ).fetchall()
            acl = admin.execute("SELECT datacl::text FROM pg_database WHERE datname = current_database()").fetchall()
            settings = admin.execute("SELECT setconfig FROM pg_db_role_setting WHERE setdatabase <> 0 AND setdatabase = "
                                     "(SELECT oid FROM pg_database WHERE datname = current_database())").fetchall()  # fmt: skip
        facts.append(repr((owners, grants, acl, settings)).replace(tenant.database, "X"))

    assert facts[0] == facts[1]


def test_a_rolled_back_registration_leaves_its_spare_in_the_pool(site):
    tenancy = site.tenancy()
    tenancy.spares.refill(1)

    with Session(site.catalog) as session:
        state = tenancy.register(session, "acme").state
        session.rollback()

    assert state is TenantState.ACTIVE
    assert (tenancy.spares.ready(), tenancy.exists("acme"), tenancy.orphans()) == (1, False, [])


def test_a_taken_key_or_host_leaves_the_spare_in_the_pool_of_a_transaction_that_goes_on(site):
    tenancy = site.tenancy()
    site.make(tenancy, "acme", domains=["acme.test"])
    tenancy.spares.refill(1)

    with Session(site.catalog) as session, session.begin():
        with pytest.raises(errors.DomainTaken):
            tenancy.register(session, "other", domains=["acme.test"])
        with pytest.raises(errors.TenantExists):
            tenancy.register(session, "acme")

    assert (tenancy.spares.ready(), tenancy.exists("other")) == (1, False)
    assert site.register(tenancy, "other").state is TenantState.ACTIVE


def test_an_empty_pool_falls_back_to_the_ordinary_way(site):
    tenancy = site.tenancy(spares=1)

    registered = site.register(tenancy, "acme")

    assert registered.state is TenantState.REQUESTED
    assert tenancy.provision("acme").state is TenantState.ACTIVE


def test_concurrent_claims_get_different_spares(site):
    tenancy = site.tenancy()
    tenancy.spares.refill(4)
    start, found = threading.Barrier(4), []

    def claim(number):
        start.wait(10)
        found.append(site.register(tenancy, f"t{number}"))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [tenant.state for tenant in found] == [TenantState.ACTIVE] * 4
    assert len({tenant.database for tenant in found}) == 4
    assert (tenancy.spares.ready(), tenancy.orphans()) == (0, [])


def test_a_claim_that_is_not_committed_yet_makes_others_take_another_spare(postgres_site):
    tenancy = postgres_site.tenancy()
    tenancy.spares.refill(2)
    with Session(postgres_site.catalog) as first, Session(postgres_site.catalog) as second:
        a, b = tenancy.spares.take(first, "main"), tenancy.spares.take(second, "main")
        second.commit()
        first.rollback()

    assert a.database != b.database
    assert tenancy.spares.ready() == 1


def test_a_seed_runs_for_a_tenant_from_the_pool_too_and_only_once(site):
    def seed(session, tenant):
        session.add(site.Artist(name=f"of {tenant.key}"))

    tenancy = site.tenancy(seed=seed)
    tenancy.spares.refill(1)

    registered = site.register(tenancy, "acme")
    seeded = [tenancy.provision("acme").state, tenancy.provision("acme").state]

    assert (registered.state, seeded) == (TenantState.PROVISIONING, [TenantState.ACTIVE] * 2)
    assert [step.name for step in tenancy.progress("acme").steps] == ["claim", "schema", "stamp", "seed", "activation"]
    assert artists(site, tenancy, "acme") == ["of acme"]


def test_a_listener_to_steps_is_asked_before_a_tenant_from_the_pool_is_active(site):
    tenancy, steps = site.tenancy(), []
    tenancy.on(StepStarted)(lambda event: steps.append(event.step))
    tenancy.spares.refill(1)

    registered = site.register(tenancy, "acme")

    assert registered.state is TenantState.PROVISIONING
    assert tenancy.provision("acme").state is TenantState.ACTIVE
    assert steps == ["schema", "stamp", "activation"]


def test_spares_of_an_older_revision_are_never_given_out_and_go_with_the_next_refill(site):
    site.tenancy().spares.refill(2)
    site.add_revision("r2", SECOND)
    later, dropped = site.tenancy(), []
    later.on(SpareDropped)(lambda event: dropped.append(event.database))

    registered = site.register(later, "acme")
    made = later.spares.refill(1)

    assert registered.state is TenantState.REQUESTED
    assert (made, len(dropped), later.spares.ready(), later.orphans()) == (1, 2, 1, [])
    assert site.register(later, "next").revision == "r2"


def test_a_head_that_moves_before_the_claim_is_seen_by_a_process_that_does_not_know_it(site):
    old = site.tenancy()
    old.spares.refill(1)
    assert old.head == "r1"
    site.add_revision("r2", SECOND)
    site.tenancy().migrate()

    registered = site.register(old, "acme")

    assert registered.state is TenantState.REQUESTED


def test_a_head_that_moves_during_the_claim_waits_for_it_and_then_migrates_the_tenant(postgres_site):
    site = postgres_site
    old = site.tenancy()
    old.spares.refill(1)
    assert old.head == "r1"
    site.add_revision("r2", SECOND)
    new, reports = site.tenancy(), []
    with Session(site.catalog) as session:
        claimed = old.register(session, "acme")
        migration = threading.Thread(target=lambda: reports.append(new.migrate()))
        migration.start()
        with site.admin() as admin:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
            while not admin.execute(waiting, [site.catalog.url.database]).fetchone()[0]:
                assert migration.is_alive()
        session.commit()
    migration.join(30)

    assert claimed.revision == "r1"
    assert reports[0].migrated == ("acme",)
    assert new.provision("acme").revision == "r2"


def test_the_sealed_password_moves_with_the_spare_and_is_stored_once(postgres_site):
    tenancy = postgres_site.tenancy()
    tenancy.spares.refill(1)
    with Session(postgres_site.catalog) as session:
        spare = session.scalars(select(SpareRow)).one()

    tenant = postgres_site.register(tenancy, "acme")

    with Session(postgres_site.catalog) as session:
        credential = session.scalars(select(CredentialRow)).one()
        assert session.scalars(select(SpareRow)).all() == []
    assert (tenant.id, credential.tenant_id, credential.secret, credential.role) == (spare.id, spare.id, spare.secret, spare.role)


def test_a_spare_carries_the_stamp_of_the_tenant_that_will_have_it(site):
    tenancy = site.tenancy()
    tenancy.spares.refill(1)
    tenant = site.register(tenancy, "acme")

    with tenancy.use("acme"), tenancy.session() as session:
        assert session.scalars(text("SELECT tenant_id FROM tenancy_stamp")).all() == [tenant.id]


def test_a_refill_that_failed_goes_on_with_the_same_spare(site, monkeypatch):
    tenancy = site.tenancy()
    with tenancy._sites["main"].provisioner.work("probe") as worker:
        kind = type(worker)

    def fail(*_):
        raise OSError("disk away")

    with monkeypatch.context() as patched:
        patched.setattr(kind, "secure", fail)
        with pytest.raises(OSError, match="disk away"):
            tenancy.spares.refill(1)
    half_made = (tenancy.spares.ready(), tenancy.orphans(), len(tenancy.spares.databases()))
    made = tenancy.spares.refill(1)

    assert half_made == (0, [], 1)
    assert (made, tenancy.spares.ready(), len(tenancy.spares.databases())) == (1, 1, 1)


def test_two_refills_at_once_do_not_make_twice_as_many(site):
    tenancy = site.tenancy()

    with tenancy._provisioning.leases.hold("spares:main"), pytest.raises(errors.OperationBusy):
        tenancy.spares.refill(1)

    assert tenancy.spares.refill(1) == 1
    assert tenancy.spares.refill(1) == 0


def test_emptying_the_pool_drops_databases_and_roles(site):
    tenancy = site.tenancy()
    tenancy.spares.refill(2)

    dropped = tenancy.spares.empty()

    assert (dropped, tenancy.spares.ready(), tenancy.spares.databases(), tenancy.orphans()) == (2, 0, set(), [])


def test_the_loop_fills_the_pool_again_until_it_is_stopped(site):
    tenancy, stop, made = site.tenancy(spares=1), threading.Event(), []

    @tenancy.on(SpareMade)
    def note(event):
        made.append(event.database)
        if len(made) == 3:
            stop.set()

    @tenancy.on(SpareClaimed)
    def claimed(event):
        made.append(event.tenant.database)

    loop = threading.Thread(target=tenancy.spares.keep_filled, args=(stop,), kwargs={"every_s": 0.01})
    loop.start()
    while not tenancy.spares.ready():
        assert loop.is_alive()
    site.register(tenancy, "acme")
    loop.join(30)

    assert not loop.is_alive()
    assert made[0] == made[1] == tenancy.tenant("acme").database


def test_a_template_is_the_only_one_of_its_server_with_a_revision(site):
    site.tenancy().migrate()
    site.add_revision("r2", SECOND)
    site.tenancy().migrate()

    with Session(site.catalog) as session:
        assert session.scalars(select(TemplateRow.revision)).all() == ["r2"]
