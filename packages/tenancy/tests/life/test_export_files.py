from __future__ import annotations

import hashlib
import json
import threading
import tracemalloc
import zipfile

import pytest
from sqlalchemy import text

from roomtone_tenancy import errors
from roomtone_tenancy.life.errors import ExportDamaged, NewerRevision, NotPortable, OperationFailed
from roomtone_tenancy.life.portable import archive
from roomtone_tenancy.provisioners import Place


@pytest.fixture
def acme(site, fill):
    """A tenancy, and a tenant with two rows."""
    tenancy = site.tenancy(cache_ttl_s=0)
    site.make(tenancy, "acme", domains=["acme.test"], metadata={"card": "4242"})
    fill(tenancy, site, "acme", "ann", "bob")
    return tenancy


@pytest.fixture
def path(tmp_path):
    return tmp_path / "acme.zip"


@pytest.fixture
def remade(path):
    """The file again, with some of its entries replaced; None removes one."""

    def remade(changes):
        with zipfile.ZipFile(path) as source:
            entries = {name: source.read(name) for name in source.namelist()} | changes
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for name, data in entries.items():
                if data is not None:
                    target.writestr(name, data)

    return remade


def test_an_export_is_a_zip_that_any_program_can_read(site, acme, path):
    exported = acme.exports.create("acme", path)

    with zipfile.ZipFile(path) as file:
        manifest, data = json.loads(file.read("manifest.json")), file.read("data/00000.ndjson")
    table = manifest["tables"][0]
    assert [json.loads(line) for line in data.splitlines()] == [{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}]
    assert (table["name"], table["rows"], table["sha256"]) == ("artist", 2, hashlib.sha256(data).hexdigest())
    assert [column["kind"] for column in table["columns"]] == ["integer", "text"]
    assert (manifest["format"], manifest["dialect"], manifest["revision"], manifest["key"]) == (1, site.kind, "r1", "acme")
    assert (exported, exported.rows, exported.tables) == (acme.exports.check(path), 2, 2)
    assert path.stat().st_mode & 0o077 == 0


def test_an_import_is_a_tenant_of_its_own_and_goes_on(site, acme, path, fill, names):
    acme.exports.create("acme", path)

    report = acme.exports.load(path, "copy", domains=["copy.test"])
    fill(acme, site, "copy", "cid")
    copy, source = acme.tenant("copy"), acme.tenant("acme")

    assert (report.source, report.rows, report.server) == ("acme", 2, "main")
    assert names(acme, site, "copy") == ["ann", "bob", "cid"]
    assert names(acme, site, "acme") == ["ann", "bob"]
    assert (copy.state, copy.domains, dict(copy.metadata), copy.id != source.id) == ("active", ("copy.test",), {}, True)
    assert acme._workshop.copier("main").owner_of(Place(database=copy.database)) == copy.id
    assert (acme.orphans(), acme.pending("import")) == ([], [])


def test_an_older_export_is_migrated_to_the_head_and_a_newer_one_is_refused(site, acme, path, tmp_path, names, extension):
    acme.exports.create("acme", path)
    site.add_revision("r2", extension)
    newer = site.tenancy(cache_ttl_s=0)
    newer.migrate()
    newer.exports.create("acme", tmp_path / "new.zip")

    report = newer.exports.load(path, "copy")
    with pytest.raises(NewerRevision):
        acme.exports.load(tmp_path / "new.zip", "never")

    assert (report.revision, newer.tenant("copy").revision, names(newer, site, "copy")) == ("r2", "r2", ["ann", "bob"])
    assert not acme.exists("never")


def test_an_export_is_of_one_moment_while_others_write(site, acme, path):
    stop, begun = threading.Event(), threading.Event()

    def write():
        while not stop.is_set():
            with acme.use("acme"), acme.session() as db:
                artist = site.Artist(name="x")
                artist.songs.append(site.Song(title="y"))
                db.add(artist)
                db.commit()
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(60)
    try:
        acme.exports.create("acme", path)
    finally:
        stop.set()
        writer.join(60)

    with zipfile.ZipFile(path) as file:
        artists, songs = (len(file.read(f"data/0000{number}.ndjson").splitlines()) for number in range(2))
    assert artists - 2 == songs > 0


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "harm", ["cut", "head", "flip", "empty", "text", "rows", "sum", "table", "extra", "path", "twice", "manifest", "kind", "none"]
)
def test_a_broken_file_is_refused_and_leaves_nothing(site, acme, path, remade, harm):
    acme.exports.create("acme", path)
    sound = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        manifest = json.loads(file.read("manifest.json"))
    match harm:
        case "cut":
            path.write_bytes(sound[:-30])
        case "head":
            path.write_bytes(sound[30:])
        case "flip":
            at = sound.index(b"data/00000.ndjson") + 41
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_bytes(b"id,name\n1,ann\n" * 100)
        case "rows":
            remade({"data/00000.ndjson": b'{"id":1,"name":"ann"}\n'})
        case "sum":
            remade({"data/00000.ndjson": b'{"id":1,"name":"ann"}\n{"id":2,"name":"eve"}\n'})
        case "table":
            remade({"data/00001.ndjson": None})
        case "extra":
            remade({"data/00009.ndjson": b""})
        case "path":
            manifest["tables"][0]["file"] = "../../outside.ndjson"
            remade({"manifest.json": json.dumps(manifest), "../../outside.ndjson": b"", "data/00000.ndjson": None})
        case "twice":
            manifest["tables"][1]["file"] = "data/00000.ndjson"
            remade({"manifest.json": json.dumps(manifest), "data/00001.ndjson": None})
        case "manifest":
            remade({"manifest.json": b"[" * 100_000})
        case "kind":
            manifest["tables"][0]["columns"][0]["kind"] = "pickle"
            remade({"manifest.json": json.dumps(manifest)})
        case "none":
            remade({"manifest.json": None})

    with pytest.raises(ExportDamaged):
        acme.exports.check(path)
    with pytest.raises(ExportDamaged):
        acme.exports.load(path, "copy")

    assert (acme.exists("copy"), acme.orphans(), acme.pending("import")) == (False, [], [])
    assert [each.name for each in path.parent.parent.glob("outside*")] == []


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_file_that_unpacks_to_more_than_it_says_or_than_is_allowed_is_refused_early(acme, path, remade):
    acme.exports.create("acme", path)
    bomb = b'{"id":1,"name":"' + b"a" * (32 << 20) + b'"}\n'
    with pytest.raises(ExportDamaged, match="are allowed"):
        acme.exports.check(path, bytes_max=10)

    remade({"data/00000.ndjson": bomb})
    with pytest.raises(ExportDamaged, match="longer than its manifest says"):
        acme.exports.check(path)
    remade({"manifest.json": b" " * (17 << 20)})
    with pytest.raises(ExportDamaged, match="its manifest is too long"):
        acme.exports.check(path)
    with zipfile.ZipFile(path, "w") as many:
        for number in range(10_002):
            many.writestr(f"data/{number}", b"")
    with pytest.raises(ExportDamaged, match="directory is too long"):
        acme.exports.check(path)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_rows_are_not_all_in_memory_at_once(acme, path):
    rows, length = 1200, 10_000
    with acme.use("acme"), acme.session() as db:
        db.execute(text("INSERT INTO artist (name) VALUES (:name)"), [{"name": f"{number}{'a' * length}"} for number in range(rows)])
        db.commit()

    tracemalloc.start()
    try:
        acme.exports.create("acme", path)
        acme.exports.load(path, "copy")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert acme.exports.check(path).rows == rows + 2
    assert peak < rows * length / 2


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_an_archive_packed_otherwise_is_refused(acme, path):
    acme.exports.create("acme", path)
    with zipfile.ZipFile(path) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as target:
        for name, data in entries.items():
            target.writestr(name, data)

    with pytest.raises(ExportDamaged, match="packed in a way"):
        acme.exports.check(path)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_rows_that_are_true_to_the_manifest_and_still_wrong_are_taken_back(acme, path, remade):
    """Somebody wrote the file by hand: its sums fit, its rows do not fit together."""
    acme.exports.create("acme", path)
    data = b'{"id":1,"title":"s","artist_id":77}\n'
    with zipfile.ZipFile(path) as file:
        manifest = json.loads(file.read("manifest.json"))
    manifest["tables"][1] |= {"rows": 1, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    remade({"manifest.json": json.dumps(manifest), "data/00001.ndjson": data})

    with pytest.raises(OperationFailed, match="refers to one of 'artist'") as caught:
        acme.exports.load(path, "copy")

    assert (caught.value.is_undone, acme.exists("copy"), acme.orphans()) == (True, False, [])


def test_a_file_of_other_tables_at_the_same_revision_is_taken_back(site, acme, path):
    place = Place(database=acme.tenant("acme").database)
    changes = {"CREATE TABLE loose (id INTEGER)": "no such table", "ALTER TABLE artist ADD more TEXT": "other columns"}
    for change, reason in changes.items():
        with acme._sites["main"].provisioner.owner_connection(place) as connection:
            connection.execute(text(change))
            connection.commit()
        acme.exports.create("acme", path)

        with pytest.raises(OperationFailed, match=reason):
            acme.exports.load(path, "copy")
        path.unlink()

    assert (acme.exists("copy"), acme.orphans()) == (False, [])


def test_another_file_in_its_place_is_not_gone_on_with(acme, path, site, fill, monkeypatch):
    acme.exports.create("acme", path)
    with monkeypatch.context() as patched:
        patched.setattr("roomtone_tenancy.life.imports.Import._fill", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            acme.exports.load(path, "copy")
    path.unlink()
    fill(acme, site, "acme", "later")
    acme.exports.create("acme", path)
    pending = acme.pending("import")

    with pytest.raises(OperationFailed, match="another file") as caught:
        acme.exports.resume("copy")

    assert (pending, caught.value.is_undone, acme.exists("copy"), acme.orphans()) == (["copy"], True, False, [])


def _interrupted(*_):
    raise KeyboardInterrupt  # no error of a step: as if the process ended here


def test_what_cannot_be_exported_or_imported_is_refused(site, acme, path):
    site.register(acme, "unmade")
    with pytest.raises(errors.TenantUnavailable):
        acme.exports.create("unmade", path)
    with pytest.raises(errors.UnknownTenant):
        acme.exports.create("nobody", path)
    with pytest.raises(FileNotFoundError):
        acme.exports.load(path, "copy")
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        acme.exports.create("acme", path)
    path.unlink()
    acme.exports.create("acme", path)
    with pytest.raises(errors.TenantExists):
        acme.exports.load(path, "acme")
    with pytest.raises(errors.OperationBusy):
        acme.exports.resume("acme")

    assert [each.name for each in path.parent.glob("*acme.zip*")] == ["acme.zip"]


def test_what_only_a_backup_holds_is_not_left_out_in_silence(site, acme, path):
    place = Place(database=acme.tenant("acme").database)
    statement = "SELECT lo_from_bytea(0, 'x')" if site.kind == "postgresql" else "CREATE VIRTUAL TABLE found USING fts5(body)"
    with acme._sites["main"].provisioner.owner_connection(place) as connection:
        connection.execute(text(statement))
        connection.commit()

    with pytest.raises(NotPortable, match="which only a backup holds"):
        acme.exports.create("acme", path)

    assert not path.exists()


def test_an_export_of_anothers_database_is_refused(site, acme, path):
    with acme._sites["main"].provisioner.owner_connection(Place(database=acme.tenant("acme").database)) as connection:
        connection.execute(text("UPDATE tenancy_stamp SET tenant_id = 'another'"))
        connection.commit()

    with pytest.raises(errors.StampMismatch):
        acme.exports.create("acme", path)

    assert not path.exists()


def test_a_row_that_is_too_long_to_be_read_again_is_not_exported(acme, path, monkeypatch):
    monkeypatch.setattr(archive, "LINE_BYTES_MAX", 20)

    with pytest.raises(NotPortable, match="more than 20 bytes"):
        acme.exports.create("acme", path)

    assert not path.exists()
