from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from roomtone_tenancy import errors
from roomtone_tenancy.engines import ServerEngines

BROKEN = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
        if op.get_bind().scalar(sa.text("SELECT count(*) FROM artist WHERE name = 'breaks'")):
            raise RuntimeError("a tenant's own data stands in the way")
"""


@pytest.fixture
def fleet(site):
    """Three tenants at r1; the second has data that the next revision cannot take."""
    tenancy = site.tenancy()
    for key in ("a", "b", "c"):
        site.make(tenancy, key)
    _set_artist(tenancy, "b", "breaks")
    return site


def _set_artist(tenancy, key, name):
    with tenancy.use(key), tenancy.session() as session:
        session.execute(text("DELETE FROM artist"))
        session.execute(text("INSERT INTO artist (name) VALUES (:name)"), {"name": name})
        session.commit()


def _tables(tenancy, key):
    with tenancy.use(key), tenancy.session() as session:
        try:
            session.execute(text("SELECT * FROM half"))
        except DBAPIError:
            return False
        return True


def test_one_broken_tenant_stops_nobody_else_and_the_next_run_does_only_that_one(fleet):
    fleet.add_revision("r2", BROKEN)
    tenancy = fleet.tenancy()
    told = []

    first = tenancy.migrate(on_tenant=lambda key, error: told.append((key, error is None)))

    assert (first.head, first.migrated, list(first.failed)) == ("r2", ("a", "c"), ["b"])
    assert told == [("a", True), ("b", False), ("c", True)]
    assert "stands in the way" in first.failed["b"]
    assert not _tables(tenancy, "b")  # its revision rolled back whole
    assert tenancy.tenant("b").revision == "r1"
    assert "failed" in {finding.check for finding in tenancy.doctor().findings}

    _set_artist(tenancy, "b", "mended")
    second = tenancy.migrate()

    assert (second.migrated, second.failed) == (("b",), {})
    assert tenancy.tenant("b").revision == "r2"
    assert not {finding.check for finding in tenancy.doctor().findings} & {"failed", "behind", "stopped"}


def test_with_nothing_to_do_no_tenants_database_is_opened(site, monkeypatch):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    provisioner = tenancy._sites["main"].provisioner
    opened = []
    for way in ("owner_connection", "replay", "facts"):
        monkeypatch.setattr(type(provisioner), way, lambda *arguments, **limits: opened.append(arguments))
    monkeypatch.setattr(ServerEngines, "get", lambda *arguments: opened.append(arguments))

    report = tenancy.migrate()

    assert (report.migrated, report.failed, opened) == ((), {}, [])


def test_a_tenant_made_after_a_new_revision_is_at_head_and_the_old_template_is_gone(site, extension):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    old = tenancy._templates.current("main")
    site.add_revision("r2", extension)
    later = site.tenancy()

    tenant = site.make(later, "b")

    assert tenant.revision == "r2"
    assert later.tenant("a").revision == "r1"
    assert later._templates.current("main") != old
    assert later._templates.names() == {later._templates.current("main")}
    assert later.orphans() == []


def test_suspended_tenants_are_migrated_and_half_made_ones_are_left_to_provisioning(site, extension):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    site.change(tenancy.suspend, "a", reason="unpaid")
    site.register(tenancy, "half-made")
    site.add_revision("r2", extension)

    report = site.tenancy().migrate()

    assert report.migrated == ("a",)


@pytest.mark.parametrize("reason", ["missing", "empty", "two heads"])
def test_a_migrations_folder_that_cannot_be_used_is_named(sqlite_site, reason, tmp_path):
    folder = tmp_path / "other"
    if reason != "missing":
        (folder / "versions").mkdir(parents=True)
    if reason == "two heads":
        for name in ("x", "y"):
            (folder / "versions" / f"{name}.py").write_text(f"revision, down_revision = {name!r}, None\ndef upgrade(): pass\n")
    sqlite_site.migrations = folder

    with pytest.raises(errors.MigrationsInvalid) as caught:
        _ = sqlite_site.tenancy().head

    assert caught.value.folder == str(folder)
