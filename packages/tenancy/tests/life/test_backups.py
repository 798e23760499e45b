from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from roomtone_tenancy import errors
from roomtone_tenancy.life.errors import BackupDamaged, NewerRevision, NoStore, OperationFailed, UnknownBackup
from roomtone_tenancy.life.retention import Retention
from roomtone_tenancy.life.stores import FolderStore
from roomtone_tenancy.provisioners import Place


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "backups")


@pytest.fixture
def acme(site, store, fill):
    """A tenancy with a store, and a tenant with two rows."""
    tenancy = site.tenancy(backups=store, cache_ttl_s=0)
    site.make(tenancy, "acme", domains=["acme.test"])
    fill(tenancy, site, "acme", "ann", "bob")
    return tenancy


def test_a_restored_tenant_is_as_it_was_and_what_it_replaced_is_kept(site, acme, fill, names):
    before, backup = acme.tenant("acme"), acme.backups.create("acme")
    fill(acme, site, "acme", "added later")

    report = acme.backups.restore("acme")
    restored, after = names(acme, site, "acme"), acme.tenant("acme")
    fill(acme, site, "acme", "written now")

    assert restored == ["ann", "bob"]
    assert (report.backup, report.revision, report.rows) == (backup.id, "r1", backup.rows)
    assert (after.id, after.state, after.database != before.database) == (before.id, "active", True)
    assert names(acme, site, "acme") == ["ann", "bob", "written now"]
    assert [each.database for each in acme.moves.retired()] == [before.database]
    assert (acme.orphans(), acme.pending("restore")) == ([], [])


def test_a_backup_says_what_is_in_it_and_holds_nothing_in_clear(acme, store):
    backup = acme.backups.create("acme")

    written = b"".join(store.read(backup.data_name))
    assert (backup.key, backup.revision, backup.contents["artist"].rows) == ("acme", "r1", 2)
    assert acme.backups.check("acme") == backup == acme.backups.list("acme")[0]
    assert len(written) == backup.size_bytes
    assert b"ann" not in written
    assert b"artist" not in written


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
@pytest.mark.parametrize("harm", ["flip", "cut", "extend", "missing", "manifest", "empty"])
def test_a_damaged_backup_is_refused_and_the_tenant_stays_as_it_is(site, acme, store, names, harm):
    backup = acme.backups.create("acme")
    data = store.folder / backup.data_name
    sound = data.read_bytes()
    match harm:
        case "flip":
            data.write_bytes(sound[:-40] + bytes([sound[-40] ^ 1]) + sound[-39:])
        case "cut":
            data.write_bytes(sound[:-9])
        case "extend":
            data.write_bytes(sound + b"more")
        case "missing":
            data.unlink()
        case "empty":
            data.write_bytes(b"")
        case "manifest":
            manifest = store.folder / backup.manifest_name
            value = json.loads(manifest.read_text())
            value["contents"]["artist"]["rows"] = 0
            manifest.write_text(json.dumps(value))

    with pytest.raises(BackupDamaged):
        acme.backups.check("acme", backup.id)
    with pytest.raises((BackupDamaged, OperationFailed)):
        acme.backups.restore("acme", backup.id)

    assert names(acme, site, "acme") == ["ann", "bob"]
    assert (acme.tenant("acme").state, acme.orphans(), acme.pending("restore")) == ("active", [], [])


def test_50_of_50_restores_into_a_wrong_tenant_are_refused(site, store, fill, names):
    tenancy = site.tenancy(backups=store)
    keys = [f"t{number}" for number in range(8)]
    for key in keys:
        site.make(tenancy, key)
        fill(tenancy, site, key, key)
    backups = {key: tenancy.backups.create(key) for key in keys}
    pairs = list(itertools.permutations(keys, 2))[:50]

    refused = []
    for origin, target in pairs:
        backup, tenant = backups[origin], tenancy.tenant(target)
        with pytest.raises(UnknownBackup):
            tenancy.backups.restore(target, backup.id)
        for name in (backup.data_name, backup.manifest_name):  # as an operator would who mixes up two folders
            store.write(name.replace(backup.tenant_id, tenant.id), store.read(name))
        with pytest.raises(BackupDamaged, match="another tenant's"):
            tenancy.backups.restore(target, backup.id)
        refused.append((origin, target))

    assert len(set(refused)) == 50
    assert [names(tenancy, site, key) for key in keys] == [[key] for key in keys]
    assert tenancy.orphans() == []


def test_anothers_data_behind_the_right_manifest_is_refused_before_it_takes_any_place(site, acme, store, fill, names):
    site.make(acme, "stranger")
    fill(acme, site, "stranger", "eve")
    mine, theirs = acme.backups.create("acme"), acme.backups.create("stranger")
    store.write(mine.data_name, store.read(theirs.data_name))

    with pytest.raises(OperationFailed, match="another tenant") as caught:
        acme.backups.restore("acme", mine.id)

    assert (caught.value.is_undone, names(acme, site, "acme"), acme.orphans()) == (True, ["ann", "bob"], [])


def test_a_database_with_another_stamp_is_not_put_into_a_tenants_place(site, acme, names):
    """Somebody restored the wrong dump by hand: what is backed up then is not the tenant's, and nothing is made of it."""
    stranger = site.make(acme, "stranger")
    with acme._sites["main"].provisioner.owner_connection(Place(database=acme.tenant("acme").database)) as connection:
        connection.execute(text("UPDATE tenancy_stamp SET tenant_id = :id"), {"id": stranger.id})
        connection.commit()

    with pytest.raises(OperationFailed) as caught:
        acme.backups.create("acme")

    assert isinstance(caught.value.__cause__, errors.StampMismatch)
    assert acme.backups.list("acme") == []


def test_an_older_backup_is_migrated_up_and_a_newer_one_is_refused(site, acme, store, names, extension):
    old = acme.backups.create("acme")
    site.add_revision("r2", extension)
    newer = site.tenancy(backups=store, cache_ttl_s=0)
    newer.migrate()
    new = newer.backups.create("acme")

    report = newer.backups.restore("acme", old.id)
    with pytest.raises(NewerRevision):
        acme.backups.restore("acme", new.id)

    assert (old.revision, new.revision, report.revision, newer.tenant("acme").revision) == ("r1", "r2", "r2", "r2")
    assert names(newer, site, "acme") == ["ann", "bob"]


def test_old_backups_are_removed_as_the_retention_says(site, store, acme, fill):
    first = acme.tenant("acme").created_at
    for day in range(4):
        at = first + timedelta(days=day)
        tenancy = site.tenancy(backups=store, clock=lambda at=at: at)
        tenancy.backups.create("acme", retention=Retention(latest=1, daily=2, weekly=0, monthly=0, yearly=0))
    (store.folder / acme.tenant("acme").id / "cut-off.backup").touch()

    planned = acme.backups.prune("acme", Retention(latest=1, daily=1, weekly=0, monthly=0, yearly=0), is_dry=True)
    left = acme.backups.list("acme")
    acme.backups.prune("acme", Retention(latest=1, daily=2, weekly=0, monthly=0, yearly=0))

    assert [backup.created_at - first for backup in left] == [timedelta(days=2), timedelta(days=3)]
    assert planned == left[:1]
    assert len(store.names(acme.tenant("acme").id)) == 4


def test_without_a_store_or_a_database_there_is_no_backup(site, acme):
    site.register(acme, "unmade")
    with pytest.raises(errors.TenantUnavailable):
        acme.backups.create("unmade")
    with pytest.raises(NoStore):
        site.tenancy().backups.create("acme")
    with pytest.raises(UnknownBackup):
        acme.backups.restore("acme")


def test_a_backup_of_a_lost_key_says_which_key_is_missing(site, acme, store):
    backup = acme.backups.create("acme")

    other = site.tenancy(backups=store, keys=type(site.keys).generate("k2"))

    with pytest.raises(errors.UnknownEncryptionKey, match="'k1'"):
        other.backups.check("acme", backup.id)
