"""The master key is replaced while tenants are served, in the middle of anything."""

from __future__ import annotations

import multiprocessing
import runpy
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from roomtone_tenancy import CallableKeys, KeyRing, errors
from roomtone_tenancy.models import CredentialRow, ServerRow, SpareRow, TenantRow
from roomtone_tenancy.sealed_rows import SealedRows
from roomtone_tenancy.vault import Sealed, Vault

OLD, NEW = KeyRing.generate("old"), KeyRing.generate("new")
BOTH = KeyRing({**OLD.keys, **NEW.keys}, "new")
WORKER = Path(__file__).parent / "key_rotation_worker.py"


@pytest.fixture
def rows(site):
    """Five credentials, two servers and two spares under the old key; a third server has no secret."""
    vault, now = Vault(OLD), site.tenancy()._registry.clock()
    with site.catalog.begin() as connection:
        for number in range(5):
            connection.execute(insert(TenantRow).values(id=f"t{number}", key=f"t{number}", state="active", created_at=now, updated_at=now))
            sealed = vault.seal(f"secret {number}", tenant=f"t{number}", table="tenancy_credentials", column="secret")
            values = {"role": f"r{number}", "key_id": sealed.key_id, "secret": sealed.data, "created_at": now}
            connection.execute(insert(CredentialRow).values(tenant_id=f"t{number}", **values))
        for number in range(2):
            sealed = vault.seal(f"url {number}", tenant=f"s{number}", table="tenancy_servers", column="secret")
            values = {"state": "accepting", "capacity": 1, "key_id": sealed.key_id, "secret": sealed.data}
            connection.execute(insert(ServerRow).values(name=f"s{number}", created_at=now, updated_at=now, **values))
            sealed = vault.seal(f"spare {number}", tenant=f"p{number}", table="tenancy_spares", column="secret")
            values = {"server": "s0", "database": f"d{number}", "state": "ready", "key_id": sealed.key_id, "secret": sealed.data}
            connection.execute(insert(SpareRow).values(id=f"p{number}", created_at=now, **values))
        connection.execute(insert(ServerRow).values(name="open", state="accepting", capacity=1, created_at=now, updated_at=now))
    return lambda keys: SealedRows(catalog=site.catalog, vault=Vault(keys))


def secrets_of(site, keys):
    """Every secret in clear, opened with these keys."""
    vault, opened = Vault(keys), []
    with site.catalog.connect() as connection:
        for holder, key in ((CredentialRow, CredentialRow.tenant_id), (ServerRow, ServerRow.name), (SpareRow, SpareRow.id)):
            found = connection.execute(select(key, holder.key_id, holder.secret).where(holder.secret.is_not(None)).order_by(key))
            place = {"table": holder.__tablename__, "column": "secret"}
            opened += [vault.open(Sealed(key_id=row.key_id, data=row.secret), tenant=row[0], **place) for row in found]
    return opened


ALL = [*(f"secret {number}" for number in range(5)), "url 0", "url 1", "spare 0", "spare 1"]


@pytest.mark.parametrize("batch", [1, 2, 200])
def test_every_secret_ends_under_the_new_key_and_the_old_one_can_go(site, rows, batch):
    reports = []

    result = rows(BOTH).rewrap(batch=batch, on_progress=reports.append)

    assert (result.key_id, result.rewrapped, result.left, result.failed) == ("new", 9, 0, {})
    assert rows(BOTH).by_key() == {"new": 9}
    assert secrets_of(site, NEW) == ALL
    assert [report.rewrapped for report in reports] == sorted({report.rewrapped for report in reports})
    assert all(report.rewrapped + report.left == 9 for report in reports)


def test_a_second_run_has_nothing_to_do(rows):
    rows(BOTH).rewrap(batch=4, on_progress=None)

    assert rows(BOTH).rewrap(batch=4, on_progress=None).rewrapped == 0


def failing_after(count):
    """Keys whose service goes away after so many answers."""
    left = iter(range(count))

    def wrap(data_key):
        if next(left, None) is None:
            raise ConnectionError("gone")
        return NEW.wrap(data_key)[1]

    return CallableKeys("new", wrap, BOTH.unwrap)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("answers", range(9))
def test_interrupted_at_any_row_old_and_new_stay_readable_and_the_next_run_goes_on(site, rows, answers, batch):
    with pytest.raises(errors.KeyProviderFailed):
        rows(failing_after(answers)).rewrap(batch=batch, on_progress=None)
    counts = rows(BOTH).by_key()
    readable = secrets_of(site, BOTH)

    result = rows(BOTH).rewrap(batch=batch, on_progress=None)

    assert counts.get("new", 0) <= answers
    assert readable == ALL
    assert result.rewrapped == counts["old"]
    assert secrets_of(site, NEW) == ALL


@pytest.mark.faults
@pytest.mark.parametrize("killed_at", [1, 4, 8])
def test_a_killed_process_leaves_every_secret_readable_and_another_one_finishes(site, rows, killed_at):
    order = {"catalog_url": site.catalog_url, "keys": BOTH.to_text(), "killed_at": killed_at}
    process = multiprocessing.get_context("forkserver").Process(target=runpy.run_path, args=(str(WORKER), {"ORDER": order}))
    process.start()
    process.join(60)
    killed, counts, readable = process.exitcode, rows(BOTH).by_key(), secrets_of(site, BOTH)

    rows(BOTH).rewrap(batch=2, on_progress=None)

    assert (killed, readable) == (-signal.SIGKILL, ALL)
    assert counts["old"] > 0
    assert secrets_of(site, NEW) == ALL


def test_two_at_once_replace_each_row_once(site, rows):
    start = threading.Barrier(2)

    def run(_):
        start.wait()
        return rows(BOTH).rewrap(batch=1, on_progress=None).rewrapped

    with ThreadPoolExecutor(2) as threads:
        counts = list(threads.map(run, range(2)))

    assert sum(counts) == 9
    assert secrets_of(site, NEW) == ALL


def test_secrets_are_read_while_they_are_rotated(site, rows):
    is_over, seen = threading.Event(), []

    def read():
        while not is_over.is_set():
            seen.append(secrets_of(site, BOTH))
        return len(seen)

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        rows(BOTH).rewrap(batch=1, on_progress=None)
        is_over.set()
        count = reading.result()

    assert count == len(seen)
    assert all(each == ALL for each in seen)


def test_a_password_replaced_meanwhile_is_never_overwritten(site, rows):
    def wrap(data_key):
        sealed = Vault(OLD).seal("newer", tenant="t3", table="tenancy_credentials", column="secret")
        with site.catalog.begin() as connection:
            newer = update(CredentialRow).where(CredentialRow.tenant_id == "t3", CredentialRow.key_id == "old")
            if not raced:
                raced.append(connection.execute(newer.values(secret=sealed.data)))
        return NEW.wrap(data_key)[1]

    raced = []
    result = rows(CallableKeys("new", wrap, BOTH.unwrap)).rewrap(batch=200, on_progress=None)

    assert (result.left, result.rewrapped) == (0, 9)
    assert secrets_of(site, NEW)[3] == "newer"


def test_a_row_under_a_lost_key_or_with_altered_bytes_is_named_and_the_others_go_on(site, rows):
    with site.catalog.begin() as connection:
        connection.execute(update(CredentialRow).where(CredentialRow.tenant_id == "t1").values(key_id="lost"))
        connection.execute(update(ServerRow).where(ServerRow.name == "s0").values(secret=b"rubbish"))

    result = rows(BOTH).rewrap(batch=2, on_progress=None)

    assert (result.rewrapped, result.left) == (7, 2)
    assert set(result.failed) == {"tenancy_credentials/t1/r1", "tenancy_servers/s0"}
    assert "'lost'" in result.failed["tenancy_credentials/t1/r1"]
    assert rows(BOTH).by_key() == {"new": 7, "lost": 1, "old": 1}


def test_tenants_are_served_before_during_and_after(site):
    tenancy = site.tenancy(keys=OLD)
    site.make(tenancy, "a")
    serving, after = site.tenancy(keys=BOTH), site.tenancy(keys=NEW)

    result = serving.secrets.rotate_keys()

    with after.use("a"), after.session() as session:
        assert session.scalar(select(func.count()).select_from(site.Artist)) == 0
    assert result.left == 0
    assert set(after.secrets.status()) <= {"new"}


def test_a_batch_needs_a_row(rows):
    with pytest.raises(ValueError, match="one row"):
        rows(BOTH).rewrap(batch=0, on_progress=None)
