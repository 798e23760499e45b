"""The embedded server: a password, loopback only, data kept, and a sentence when it cannot start."""

import socket
from pathlib import Path

import psycopg
import pytest
from psycopg import OperationalError

from studio.embedded import Binaries, EmbeddedPostgres, EmbeddedPostgresError, find_binaries


@pytest.fixture
def server(tmp_path: Path):
    server = EmbeddedPostgres(data=tmp_path / "postgres", binaries=find_binaries(), durable=False)
    yield server
    server.stop()


def url(server: EmbeddedPostgres) -> str:
    return server.url.replace("+psycopg", "")


def test_it_starts_keeps_its_data_and_is_taken_over_while_it_runs(server) -> None:
    started = server.start()
    with psycopg.connect(url(server), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        again = EmbeddedPostgres(data=server.data, binaries=server.binaries, durable=False).start()
    server.stop()
    server.start()

    with psycopg.connect(url(server)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    assert (started, again) == (True, False)


def test_it_wants_its_password_and_listens_on_loopback_only(server) -> None:
    server.start()
    port = int(url(server).rsplit(":", 1)[1].split("/")[0])

    with pytest.raises(OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{port}/postgres")
    with psycopg.connect(url(server)) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    assert (server.data / "password").stat().st_mode & 0o077 == 0


def test_two_servers_find_ports_of_their_own(server, tmp_path: Path) -> None:
    other = EmbeddedPostgres(data=tmp_path / "other", binaries=server.binaries, durable=False)
    server.start()
    other.start()

    try:
        assert server.url != other.url
    finally:
        other.stop()


def test_programs_that_fail_are_told_with_their_words(tmp_path: Path) -> None:
    broken = tmp_path / "bin"
    broken.mkdir(mode=0o755)
    for parent in broken.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o001)
    for name in ("initdb", "pg_ctl"):
        (broken / name).write_text("#!/bin/sh\necho 'no space left on device' >&2\nexit 1\n")
        (broken / name).chmod(0o755)
    server = EmbeddedPostgres(data=tmp_path / "postgres", binaries=Binaries(folder=broken, origin="given"))

    with pytest.raises(EmbeddedPostgresError, match="no space left on device"):
        server.start()


def test_a_folder_of_another_major_version_says_so(server) -> None:
    server.start()
    server.stop()
    (server.data / "cluster" / "PG_VERSION").write_text("14\n")

    with pytest.raises(EmbeddedPostgresError, match="14"):
        server.start()


def test_nothing_runs_before_it_is_started(server) -> None:
    assert not server.is_running()
    server.stop()


def test_a_port_that_someone_else_has_is_not_ours(server) -> None:
    server.start()
    server.stop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        assert not server.is_running()
