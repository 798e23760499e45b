from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from roomtone_tenancy import errors
from roomtone_tenancy.life.errors import GraceNotOver
from roomtone_tenancy.life.stores import FolderStore


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "backups")


@pytest.fixture
def acme(site, store, fill):
    tenancy = site.tenancy(backups=store, cache_ttl_s=0)
    site.make(tenancy, "acme", domains=["acme.test"])
    fill(tenancy, site, "acme", "ann")
    return tenancy


def test_a_deleted_tenant_leaves_a_last_backup_and_a_proof_of_what_was_dropped(site, acme, store):
    tenant = acme.tenant("acme")
    acme.delete("acme")
    proof = acme.proof_of_deletion(tenant.id)

    assert (proof["key"], proof["database"], proof["server"]) == ("acme", tenant.database, "main")
    assert f"{tenant.id}/{proof['backup']}.json" in store.names(tenant.id)
    assert proof["seen_absent_at"] >= tenant.created_at.isoformat()
    assert acme.orphans() == []


def test_a_proof_that_was_altered_is_none(sqlite_site):
    tenancy = sqlite_site.tenancy()
    tenant = sqlite_site.make(tenancy, "acme")
    tenancy.delete("acme")

    with Session(sqlite_site.catalog) as session, session.begin():
        session.execute(text("DROP TRIGGER tenancy_lifecycle_update"))
        session.execute(text("UPDATE tenancy_lifecycle SET proof = replace(proof, 'acme', 'evil') WHERE proof IS NOT NULL"))

    assert tenancy.proof_of_deletion(tenant.id) is None
    assert tenancy.proof_of_deletion("nobody") is None


def test_a_last_backup_that_fails_stops_the_deletion_unless_it_is_waived(site, acme, store, names):
    store.folder.write_text("no folder")

    with pytest.raises(errors.DeletionFailed) as caught:
        acme.delete("acme")
    state = acme.tenant("acme").state
    acme.delete("acme", without_backup=True)

    assert (caught.value.step, state) == ("backup", "deleting")
    assert not acme.exists("acme")


def test_a_tenant_is_due_only_after_its_grace_and_can_be_had_back_until_then(site, acme, store, names):
    at = acme.tenant("acme").created_at + timedelta(days=90)
    site.change(acme.delete_later, "acme", grace=timedelta(days=30), reason="contract ended")
    archived, due = acme.tenant("acme").state, acme.due_for_deletion()
    with pytest.raises(GraceNotOver):
        acme.delete("acme")
    site.change(acme.suspend, "acme", reason="they stay")
    site.change(acme.resume, "acme", reason="they stay")
    later = site.tenancy(backups=store, clock=lambda: at)

    assert (archived, due, later.due_for_deletion()) == ("archived", [], [])
    assert names(acme, site, "acme") == ["ann"]
    site.change(acme.delete_later, "acme", grace=timedelta(days=30), reason="contract ended")
    assert later.due_for_deletion() == ["acme"]
    later.delete("acme")
    assert not acme.exists("acme")


def test_at_once_means_without_the_grace(site, acme):
    site.change(acme.delete_later, "acme", grace=timedelta(days=30), reason="contract ended")

    acme.delete("acme", at_once=True)

    assert not acme.exists("acme")


def test_a_renamed_tenant_keeps_everything_but_its_key(site, acme, names):
    before = acme.tenant("acme")

    renamed = site.change(acme.rename, "acme", "emca")

    assert (renamed.id, renamed.database, renamed.domains) == (before.id, before.database, before.domains)
    assert names(acme, site, "emca") == ["ann"]
    assert (acme.exists("acme"), acme.resolve("acme.test").key) == (False, "emca")
    assert acme.history("emca")[-1].reason == "renamed from acme"


def test_a_key_in_use_or_no_key_is_refused(site, acme):
    site.register(acme, "taken")

    for wrong, error in (("taken", errors.TenantExists), ("No Key", errors.BadKey)):
        with pytest.raises(error):
            site.change(acme.rename, "acme", wrong)

    assert acme.exists("acme")
