from __future__ import annotations

from itertools import count

import pytest

from roomtone_tenancy import errors
from roomtone_tenancy.life import s3
from roomtone_tenancy.life.errors import BackupDamaged, StoreExtraMissing
from roomtone_tenancy.life.retention import Retention
from roomtone_tenancy.life.stores import FolderStore

PART_BYTES = 5 << 20


@pytest.fixture(scope="module")
def s3_server():
    """A server that speaks S3, on a port of its own, with as many buckets as tests ask for."""
    pytest.importorskip("boto3", reason="the extra 's3' is not installed")
    server = pytest.importorskip("moto.server", reason="moto and Flask are not installed").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = s3.boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    client, numbers = session.client("s3", endpoint_url=f"http://{host}:{port}"), count()

    def store():
        bucket = f"backups-{next(numbers)}"
        client.create_bucket(Bucket=bucket)
        return s3.S3Store(bucket, prefix="ours/", endpoint_url=f"http://{host}:{port}", part_bytes=PART_BYTES, session=session)

    yield store, client
    client.close()
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """The same test on both kinds of store."""
    if request.param == "folder":
        yield FolderStore(tmp_path / "backups")
        return
    made = request.getfixturevalue("s3_server")[0]()
    yield made
    made._client.close()


def content(store, name):
    return b"".join(store.read(name))


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES])
def test_what_is_kept_is_given_back_whatever_its_length(store, size):
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]

    store.write("t1/a.backup", (data[start : start + 300_000] for start in range(0, size, 300_000)))

    assert content(store, "t1/a.backup") == data


def test_a_name_is_replaced_listed_in_order_and_removed(store):
    for name in ("t1/b.json", "t1/a.json", "t10/c.json"):
        store.write(name, [name.encode()])
    store.write("t1/a.json", [b"newer"])
    listed = store.names("t1")
    store.remove("t1/b.json")
    store.remove("t1/never.json")

    assert (listed, store.names("t1"), store.names("t10"), store.names("t2")) == (
        ["t1/a.json", "t1/b.json"],
        ["t1/a.json"],
        ["t10/c.json"],
        [],
    )
    assert content(store, "t1/a.json") == b"newer"


def test_what_is_not_there_is_said_so(store):
    with pytest.raises(FileNotFoundError):
        content(store, "t1/never.json")


@pytest.mark.parametrize("name", ["../a", "t1/../a", "t1/.hidden", "/t1/a", "t1/a/b", "t1", "T1/a", "t1/a\n"])
def test_names_that_lead_elsewhere_are_refused(store, name):
    for verb in (lambda: store.write(name, [b"x"]), lambda: content(store, name), lambda: store.remove(name)):
        with pytest.raises(errors.UnsafePath):
            verb()


@pytest.mark.parametrize("size", [10, 3 * PART_BYTES])
def test_what_breaks_off_is_not_kept_and_leaves_what_was_there(store, size):
    def chunks():
        yield b"x" * size
        raise LookupError("the database went away")

    store.write("t1/a.backup", [b"before"])

    for name in ("t1/a.backup", "t1/b.backup"):
        with pytest.raises(LookupError):
            store.write(name, chunks())

    assert (content(store, "t1/a.backup"), store.names("t1")) == (b"before", ["t1/a.backup"])


def test_an_upload_that_breaks_off_leaves_no_parts_to_pay_for(s3_server):
    make, client = s3_server
    store = make()

    def chunks():
        yield b"x" * (2 * PART_BYTES)
        raise LookupError

    with pytest.raises(LookupError):
        store.write("t1/a.backup", chunks())

    assert client.list_multipart_uploads(Bucket=store.bucket).get("Uploads", []) == []
    assert [each["Key"] for each in client.list_objects_v2(Bucket=store.bucket).get("Contents", [])] == []
    store._client.close()


def test_what_the_store_alters_is_found_and_not_restored(sqlite_site, store, fill, names):
    tenancy = sqlite_site.tenancy(backups=store, cache_ttl_s=0)
    sqlite_site.make(tenancy, "acme")
    fill(tenancy, sqlite_site, "acme", "ann")
    backup = tenancy.backups.create("acme")
    sound = content(store, backup.data_name)
    store.write(backup.data_name, [sound[:-40], bytes([sound[-40] ^ 1]), sound[-39:]])

    with pytest.raises(BackupDamaged):
        tenancy.backups.check("acme")
    store.write(backup.data_name, [sound])
    fill(tenancy, sqlite_site, "acme", "later")
    tenancy.backups.restore("acme")

    assert names(tenancy, sqlite_site, "acme") == ["ann"]


def test_a_backup_is_there_when_its_manifest_is_and_is_let_go_by_the_retention(sqlite_site, store, monkeypatch):
    tenancy = sqlite_site.tenancy(backups=store, cache_ttl_s=0)
    tenant = sqlite_site.make(tenancy, "acme")
    with monkeypatch.context() as patched:
        patched.setattr("roomtone_tenancy.life.shelf.BackupShelf.publish", _killed)
        with pytest.raises(KeyboardInterrupt):
            tenancy.backups.create("acme")
    half_made, listed = store.names(tenant.id), tenancy.backups.list("acme")
    tenancy.backups.resume("acme")
    only = Retention(latest=1, daily=0, weekly=0, monthly=0, yearly=0)
    last = tenancy.backups.create("acme", retention=only)

    assert (len(half_made), listed) == (1, [])
    assert store.names(tenant.id) == sorted([last.data_name, last.manifest_name])


def _killed(*_):
    raise KeyboardInterrupt  # no error of a step: as if the process ended here


def test_without_its_package_a_bucket_says_what_to_install(monkeypatch):
    monkeypatch.setattr(s3, "boto3", None)

    with pytest.raises(StoreExtraMissing, match=r"roomtone-tenancy\[s3\]"):
        s3.S3Store("bucket")
