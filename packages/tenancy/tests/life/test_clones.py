from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from roomtone_tenancy import Server, TenantState, errors
from roomtone_tenancy.life.errors import NewerRevision, NoStore, OperationFailed, UnknownBackup, UnknownScrub
from roomtone_tenancy.life.stores import FolderStore
from roomtone_tenancy.models import TenantRow
from roomtone_tenancy.provisioners import Place


def hide_names(session, tenant):
    session.execute(text("UPDATE artist SET name = 'artist ' || id || ' of ' || :key"), {"key": tenant.key})


def refuse(session, tenant):
    session.execute(text("DELETE FROM artist"))
    session.commit()
    raise LookupError(f"{tenant.key} cannot be scrubbed")


@pytest.fixture
def acme(site, tmp_path, fill):
    """A tenancy with two scrubs and a store, and a tenant with two rows."""
    tenancy = site.tenancy(backups=FolderStore(tmp_path / "backups"), cache_ttl_s=0, scrubs=[hide_names, refuse])
    site.make(tenancy, "acme", domains=["acme.test"], metadata={"card": "4242"})
    fill(tenancy, site, "acme", "ann", "bob")
    return tenancy


def stamp_of(tenancy, tenant):
    return tenancy._workshop.copier(tenant.server).owner_of(Place(database=tenant.database))


def test_a_clone_has_the_scrubbed_rows_and_nothing_else_of_its_source(site, acme, fill, names):
    source = acme.tenant("acme")

    report = acme.clones.clone("acme", "copy", scrub=["hide_names"], domains=["copy.test"])
    clone = acme.tenant("copy")
    fill(acme, site, "copy", "new")

    assert (report.source, report.rows, report.revision, report.scrubs) == ("acme", 3, "r1", ("hide_names",))
    assert names(acme, site, "copy") == ["artist 1 of copy", "artist 2 of copy", "new"]
    assert names(acme, site, "acme") == ["ann", "bob"]
    assert (clone.state, clone.domains, dict(clone.metadata)) == ("active", ("copy.test",), {})
    assert not {clone.id, clone.database} & {source.id, source.database}
    assert (stamp_of(acme, clone), stamp_of(acme, source)) == (clone.id, source.id)
    assert acme.tenant("acme").epoch == source.epoch
    assert acme.history("copy")[-1].reason == "cloned from acme"
    assert (acme.orphans(), acme.pending("clone")) == ([], [])


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_a_clones_login_is_its_own_and_opens_neither_source_nor_other(acme, raw):
    acme.clones.clone("acme", "copy", scrub=())
    source, clone = (acme._credentials.current(acme.tenant(key).id) for key in ("acme", "copy"))

    raw(acme, acme.tenant("copy")).close()
    url = acme._sites["main"].server.parsed
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(host=url.host, port=url.port, user=clone.role, password=clone.password, dbname=acme.tenant("acme").database)

    assert source.role != clone.role
    assert source.password != clone.password


def test_all_scrubs_are_run_unless_some_are_named(site, acme):
    seen = []
    tenancy = site.tenancy(scrubs=[one := _noting(seen, "one"), two := _noting(seen, "two")], cache_ttl_s=0)

    tenancy.clones.clone("acme", "both")
    tenancy.clones.clone("acme", "second", scrub=["two"])

    assert seen == [("one", "both"), ("two", "both"), ("two", "second")]
    assert (one.__name__, two.__name__) == ("one", "two")


def _noting(seen, name):
    def scrub(_, tenant):
        seen.append((name, tenant.key))

    scrub.__name__ = name
    return scrub


@pytest.mark.parametrize("scrubs", [["refuse"], ["hide_names", "refuse"]])
def test_a_scrub_that_raises_leaves_no_clone_and_its_key_free(site, acme, names, scrubs):
    with pytest.raises(OperationFailed, match="cannot be scrubbed") as caught:
        acme.clones.clone("acme", "copy", scrub=scrubs, domains=["copy.test"])

    assert (caught.value.step, caught.value.is_undone) == ("scrub", True)
    assert not acme.exists("copy")
    assert (acme.orphans(), acme.pending("clone"), names(acme, site, "acme")) == ([], [], ["ann", "bob"])
    assert acme.clones.clone("acme", "copy", scrub=(), domains=["copy.test"]).key == "copy"


def test_an_unscrubbed_clone_is_closed_and_goes_on_only_with_its_scrubs(site, acme, names, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt  # no error of a step: as if the process ended here

    with monkeypatch.context() as patched:
        patched.setattr("roomtone_tenancy.life.clones._Clone._scrub", killed)
        with pytest.raises(KeyboardInterrupt):
            acme.clones.clone("acme", "copy", scrub=["hide_names"])
    clone = acme.tenant("copy")
    with acme.use("copy"), pytest.raises(errors.TenantUnavailable):
        acme.session()
    with pytest.raises(errors.OperationBusy):
        acme.provision("copy")
    with pytest.raises(UnknownScrub, match="hide_names"):
        site.tenancy(cache_ttl_s=0).clones.resume("copy")
    with Session(site.catalog) as session, session.begin():  # somebody helps it along by hand
        session.execute(update(TenantRow).where(TenantRow.id == clone.id).values(state=TenantState.ACTIVE))
    opened = site.tenancy(cache_ttl_s=0)
    refusal = errors.StampMismatch if site.kind == "sqlite" else DBAPIError  # PostgreSQL does not even let the login in yet
    with opened.use("copy"), opened.session() as session, pytest.raises(refusal):
        session.execute(select(site.Artist))
    with Session(site.catalog) as session, session.begin():
        session.execute(update(TenantRow).where(TenantRow.id == clone.id).values(state=TenantState.PROVISIONING))

    assert clone.state == "provisioning"
    assert acme.pending("clone") == ["copy"]
    assert "unfinished" in {finding.check for finding in acme.doctor().findings}
    assert acme.clones.resume("copy").scrubs == ("hide_names",)
    assert names(acme, site, "copy") == ["artist 1 of copy", "artist 2 of copy"]


def test_a_half_made_clone_can_be_deleted_instead(site, acme, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("roomtone_tenancy.life.clones._Clone._scrub", killed)
        with pytest.raises(KeyboardInterrupt):
            acme.clones.clone("acme", "copy")

    acme.delete("copy")

    assert (acme.exists("copy"), acme.orphans(), acme.pending("clone")) == (False, [], [])


def test_a_failure_that_cannot_be_taken_back_now_is_taken_back_by_resume(acme, monkeypatch):
    def fails(*_, **__):
        raise OSError("server away")

    with monkeypatch.context() as patched:
        patched.setattr("roomtone_tenancy.life.newcomers.delete", fails)
        with pytest.raises(OperationFailed) as caught:
            acme.clones.clone("acme", "copy", scrub=["refuse"])
    pending = acme.pending("clone")
    with pytest.raises(OperationFailed) as resumed:
        acme.clones.resume("copy")

    assert (caught.value.is_undone, pending) == (False, ["copy"])
    assert (resumed.value.is_undone, acme.exists("copy"), acme.pending("clone"), acme.orphans()) == (True, False, [], [])


def test_a_clone_of_a_backup_has_the_backups_rows(site, acme, fill, names):
    backup = acme.backups.create("acme")
    fill(acme, site, "acme", "later")

    report = acme.clones.clone("acme", "copy", scrub=["hide_names"], backup="newest")

    assert report.backup == backup.id
    assert names(acme, site, "copy") == ["artist 1 of copy", "artist 2 of copy"]
    assert names(acme, site, "acme") == ["ann", "bob", "later"]


def test_a_suspended_tenant_is_cloned_and_an_older_one_is_brought_to_head(site, acme, extension, names):
    site.change(acme.suspend, "acme", reason="unpaid")
    acme.clones.clone("acme", "copy", scrub=())
    site.add_revision("r2", extension)
    newer = site.tenancy(cache_ttl_s=0)

    report = newer.clones.clone("acme", "young", scrub=())
    with pytest.raises(NewerRevision):
        acme.clones.clone("young", "never", scrub=())

    assert (report.revision, newer.tenant("young").revision, newer.tenant("young").state) == ("r2", "r2", "active")
    assert names(newer, site, "copy") == names(newer, site, "young") == ["ann", "bob"]


def test_a_source_whose_database_is_anothers_is_not_cloned(site, acme):
    stranger = site.make(acme, "stranger")
    with acme._sites["main"].provisioner.owner_connection(Place(database=acme.tenant("acme").database)) as connection:
        connection.execute(text("UPDATE tenancy_stamp SET tenant_id = :id"), {"id": stranger.id})
        connection.commit()

    with pytest.raises(OperationFailed) as caught:
        acme.clones.clone("acme", "copy", scrub=())

    assert isinstance(caught.value.__cause__, errors.StampMismatch)
    assert (acme.exists("copy"), acme.orphans()) == (False, [])


def test_what_cannot_be_cloned_is_refused_before_anything_is_made(site, acme, tmp_path):
    site.register(acme, "unmade")
    refusals = [
        (errors.UnknownTenant, ["nobody", "copy"], {}),
        (errors.TenantUnavailable, ["unmade", "copy"], {}),
        (errors.TenantExists, ["acme", "acme"], {}),
        (errors.BadKey, ["acme", "No Key"], {}),
        (errors.DomainTaken, ["acme", "copy"], {"domains": ["acme.test"]}),
        (UnknownScrub, ["acme", "copy"], {"scrub": ["none_such"]}),
        (UnknownBackup, ["acme", "copy"], {"backup": "newest"}),
        (errors.OperationBusy, [], {}),
    ]
    for expected, arguments, options in refusals:
        with pytest.raises(expected):
            acme.clones.clone(*arguments, **options) if arguments else acme.clones.resume("acme")
    plain = site.tenancy()
    with pytest.raises(UnknownScrub, match="scrub=\\(\\)"):
        plain.clones.clone("acme", "copy")
    with pytest.raises(NoStore):
        plain.clones.clone("acme", "copy", scrub=(), backup="newest")

    assert (acme.exists("copy"), acme.orphans()) == (False, [])


def test_a_clone_is_not_placed_on_another_kind_of_server(site, acme, postgres_url, tmp_path):
    other = postgres_url if site.kind == "sqlite" else f"sqlite:///{tmp_path}/elsewhere"
    both = site.tenancy(servers=[Server("main", site.server_url), Server("other", other, regions=("moon",))], cache_ttl_s=0)

    with pytest.raises(ValueError, match="other kind"):
        both.clones.clone("acme", "copy", scrub=(), region="moon")

    assert not both.exists("copy")


def test_scrubs_need_names_of_their_own(site):
    with pytest.raises(ValueError, match="plain functions"):
        site.tenancy(scrubs=[lambda *_: None])
    with pytest.raises(ValueError, match="hide_names"):
        site.tenancy(scrubs=[hide_names, hide_names])


def test_a_deleted_tenants_backup_is_brought_back_as_a_new_tenant_and_only_so(site, acme, fill, names):
    deleted = acme.tenant("acme")
    acme.delete("acme")
    site.make(acme, "acme")
    fill(acme, site, "acme", "somebody else")
    (backup,) = acme.backups.of_deleted(deleted.id)
    with pytest.raises(UnknownBackup):
        acme.backups.restore("acme", backup.id)

    report = acme.backups.restore_as(deleted.id, "again", domains=["again.test"])

    again = acme.tenant("again")
    assert (report.source, report.backup, report.scrubs) == ("acme", backup.id, ())
    assert (names(acme, site, "again"), names(acme, site, "acme")) == (["ann", "bob"], ["somebody else"])
    assert (again.id != deleted.id, again.domains, stamp_of(acme, again)) == (True, ("again.test",), again.id)
    assert (acme.backups.of_deleted("0" * 32), acme.orphans()) == ([], [])
