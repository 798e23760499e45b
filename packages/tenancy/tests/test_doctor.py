from __future__ import annotations

from sqlalchemy.engine import make_url

SECOND = """
    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        pass
"""


def test_spares_of_an_older_revision_are_found_until_they_are_replaced(site):
    site.tenancy().spares.refill(2)
    site.add_revision("r2", SECOND)
    tenancy = site.tenancy()

    before = [finding for finding in tenancy.doctor() if "2 spare databases on 'main' are of an older revision" in finding]
    status = tenancy.spares.status()
    tenancy.spares.refill(1)

    assert len(before) == 1
    assert [(it.server, it.ready, it.making, it.outdated) for it in status] == [("main", 0, 0, 2)]
    assert not [finding for finding in tenancy.doctor() if "spare" in finding]


def test_a_database_open_to_every_login_is_found_until_it_is_closed(postgres_site):
    tenancy, catalog = postgres_site.tenancy(), make_url(postgres_site.catalog_url).database
    close = f'REVOKE CONNECT, TEMPORARY ON DATABASE "{catalog}" FROM PUBLIC'

    before = [finding for finding in tenancy.doctor() if close in finding]
    with postgres_site.admin() as admin:
        admin.execute(close)

    assert len(before) == 1
    assert not [finding for finding in tenancy.doctor() if f'"{catalog}"' in finding]


def test_a_wish_and_a_tenant_behind_are_found_until_they_are_seen_to(site):
    site.make(site.tenancy(), "a")
    site.add_revision("r2", SECOND)
    tenancy = site.tenancy()
    site.register(tenancy, "b")

    before = [finding for finding in tenancy.doctor() if "REVOKE" not in finding]
    tenancy.provision("b")
    tenancy.migrate()

    assert before == ["b: an unfinished provision; run resume.", "1 tenants are not at revision r2, first 'a'; run migrate."]
    assert not [finding for finding in tenancy.doctor() if "REVOKE" not in finding]
