"""PgBouncer in front of tenants' databases, in both modes; administration goes around it."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from roomtone_tenancy import PoolLimits, Server, errors

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
NOBODY = "nobody"


@dataclass
class Bouncer:
    mode: str
    url: str


@pytest.fixture(params=["transaction", "session"])
def bouncer(request, postgres_url, tmp_path):
    """The real one, on a free port, asking the server for passwords."""
    url = make_url(postgres_url)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    (folder / "users").write_text(f'"{url.username}" "{url.password}"\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host={url.host} port={url.port} auth_user={url.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = {request.param}\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users\n"
        "auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1\n"
        f"logfile = {folder}/log\ndefault_pool_size = 3\nserver_reset_query = DISCARD ALL\n"
    )
    command = [PROGRAM, str(folder / "ini")]
    if os.geteuid() == 0:  # it refuses to run as root
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, NOBODY)
        for parent in itertools.takewhile(lambda each: each != Path(tempfile.gettempdir()), folder.parents):
            parent.chmod(0o711)
        command += ["-u", NOBODY]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, f"{command} ended with {process.returncode}: {process.stderr.read().decode()}"
        yield Bouncer(request.param, url.set(port=port).render_as_string(hide_password=False))
        process.terminate()


@pytest.fixture
def tenancy(postgres_site, bouncer):
    server = Server("main", postgres_site.server_url, runtime_url=bouncer.url, pooling=bouncer.mode)
    tenancy = postgres_site.tenancy(servers=[server], pools=PoolLimits(per_tenant=3, wait_s=20))
    for key in ("a", "b"):
        postgres_site.make(tenancy, key)
        with tenancy.use(key), tenancy.session() as session:
            session.add(postgres_site.Artist(id=1, name=key))
            session.commit()
    return tenancy


def test_tenants_get_their_own_rows_through_the_pooler(tenancy, postgres_site):
    def work(number):
        key = "ab"[number % 2]
        with tenancy.use(key), tenancy.session() as session:
            return key, [session.scalars(select(postgres_site.Artist.name)).one() for _ in range(8)], session.scalar(text("SELECT 1"))

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(work, range(60)))

    assert all(names == [key] * 8 for key, names, _ in seen)


def test_nothing_is_prepared_where_the_next_transaction_is_on_another_connection(tenancy, bouncer):
    with tenancy.use("a"), tenancy.session() as session:
        connection = session.connection().connection.driver_connection
        threshold = connection.prepare_threshold

    assert (threshold is None) == (bouncer.mode == "transaction")


def test_a_read_only_tenant_is_read_only_through_the_pooler_and_only_that_one(tenancy, postgres_site):
    postgres_site.change(tenancy.read_only, "a", reason="unpaid")

    with tenancy.use("a"), tenancy.session() as session:
        session.add(postgres_site.Artist(id=7, name="x"))
        with pytest.raises(errors.TenantReadOnly):
            session.flush()
    with tenancy.use("b"), tenancy.session() as session:
        session.add(postgres_site.Artist(id=8, name="x"))
        session.commit()
    postgres_site.change(tenancy.resume, "a", reason="paid")
    with tenancy.use("a"), tenancy.session() as session:
        session.add(postgres_site.Artist(id=9, name="x"))
        session.commit()


def test_a_database_with_anothers_stamp_is_refused_through_the_pooler(tenancy, postgres_site):
    a, b = tenancy.tenant("a"), tenancy.tenant("b")
    with postgres_site.admin(a.database) as admin:
        admin.execute("UPDATE tenancy_stamp SET tenant_id = %s", [b.id])
    other = postgres_site.tenancy(servers=[tenancy._sites["main"].server])

    with other.use("a"), other.session() as session, pytest.raises(errors.StampMismatch):
        session.connection()


def test_a_tenant_behind_the_pooler_can_be_deleted(tenancy, postgres_site):
    database = tenancy.tenant("a").database

    tenancy.delete("a")

    with postgres_site.admin() as admin:
        assert admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None
