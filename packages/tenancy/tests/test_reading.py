from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.engine import make_url

from roomtone_tenancy import errors
from roomtone_tenancy.reading import GRACE_S, THREADS_MAX, CatalogReader


class Door:
    """Stands before a PostgreSQL server and passes bytes on, until it is told to pass nothing and say nothing."""

    def __init__(self, url):
        self.target = make_url(url)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.is_open = threading.Event()
        self.is_open.set()
        self.sockets = [self.listener]
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    @property
    def url(self):
        return self.target.set(host="127.0.0.1", port=self.listener.getsockname()[1])

    def _accept(self):
        try:
            while True:
                client, _ = self.listener.accept()
                self.sockets.append(client)
                server = socket.create_connection((self.target.host, self.target.port))
                self.sockets.append(server)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()
        except OSError:
            pass  # closed

    def _pass(self, source, sink):
        try:
            while data := source.recv(65536):
                self.is_open.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.is_open.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which close() does not
        self.accepting.join()
        for each in self.sockets:
            each.close()


@pytest.fixture
def door(database_url):
    with closing(Door(database_url)) as door:
        yield door


@pytest.fixture
def through_door(door):
    engine = create_engine(door.url, pool_size=1, max_overflow=0)
    yield engine
    door.is_open.set()
    engine.dispose()


def test_a_read_gives_what_its_query_gives_and_ends_its_transaction(site):
    reader = CatalogReader(site.catalog, timeout_s=2)

    assert reader.read(lambda connection: connection.scalar(text("SELECT count(*) FROM tenancy_tenants"))) == 0
    assert site.catalog.pool.checkedout() == 0


def test_postgresql_itself_ends_a_slow_query_and_the_limit_ends_with_the_read(postgres_site):
    reader = CatalogReader(postgres_site.catalog, timeout_s=0.05)

    with pytest.raises(exc.OperationalError, match="statement timeout"):
        reader.read(lambda connection: connection.execute(text("SELECT pg_sleep(10)")))

    with postgres_site.catalog.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "0"


def test_sqlite_waits_no_longer_for_a_writer_and_the_hosts_own_patience_comes_back(sqlite_site):
    reader = CatalogReader(sqlite_site.catalog, timeout_s=0.05)
    with sqlite_site.engine().connect() as writer:
        writer.exec_driver_sql("BEGIN EXCLUSIVE")

        with pytest.raises(exc.OperationalError, match="locked"):
            reader.read(lambda connection: connection.execute(text("SELECT * FROM tenancy_tenants")))

    with sqlite_site.catalog.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000


def test_a_catalog_that_answers_no_more_is_given_up_and_asked_over_a_new_connection_later(door, through_door):
    reader = CatalogReader(through_door, timeout_s=1)
    reader.read(lambda connection: connection.execute(text("SELECT 1")))
    freed = threading.Event()
    event.listen(through_door, "invalidate", lambda *_: freed.set())

    door.is_open.clear()
    with pytest.raises(TimeoutError, match="has not answered"):
        reader.read(lambda connection: connection.execute(text("SELECT 1")))
    returned = freed.wait(5)
    door.is_open.set()

    assert returned, "the host's pool is rid of the connection"
    assert reader.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1


def test_a_kept_connection_that_answers_no_more_is_given_up_and_replaced(door, through_door):
    reader = CatalogReader(through_door, timeout_s=1, keeps=lambda: True)
    first = reader.read(lambda connection: connection.scalar(text("SELECT pg_backend_pid()")))

    door.is_open.clear()
    with pytest.raises(TimeoutError, match="has not answered"):
        reader.read(lambda connection: connection.execute(text("SELECT 1")))
    door.is_open.set()

    assert reader.read(lambda connection: connection.scalar(text("SELECT pg_backend_pid()"))) != first
    reader.stop()


def test_reads_that_hang_are_limited_in_number(postgres_site):
    release, count = threading.Event(), []

    def hang(connection):
        count.append(1)
        release.wait(10)

    reader = CatalogReader(create_hanging(postgres_site), timeout_s=0.01)
    with ThreadPoolExecutor(THREADS_MAX + 4) as threads:
        results = [threads.submit(reader.read, hang) for _ in range(THREADS_MAX + 4)]
        failures = [result.exception() for result in results]
        release.set()

    assert all(isinstance(failure, TimeoutError) for failure in failures)
    assert len(count) <= THREADS_MAX
    assert sum("have been hanging" in str(failure) for failure in failures) >= 4


def create_hanging(site):
    engine = create_engine(site.catalog_url, pool_size=THREADS_MAX)
    site.engines.append(engine)
    return engine


def test_a_time_out_is_longer_than_nothing(sqlite_site):
    with pytest.raises(ValueError, match="above 0"):
        CatalogReader(sqlite_site.catalog, timeout_s=0)

    assert CatalogReader(sqlite_site.catalog, timeout_s=1).wait_s == 1 + GRACE_S


def test_known_tenants_are_served_while_the_catalog_is_silent_and_unknown_ones_get_a_clear_error(postgres_site, door, monkeypatch):
    monkeypatch.setattr(postgres_site, "catalog_url", door.url)  # until the door closes
    tenancy = postgres_site.tenancy(listen=False, cache_ttl_s=0, catalog_timeout_s=0.1)
    postgres_site.make(tenancy, "acme", domains=["acme.test"])
    known = tenancy.resolve("acme.test")

    door.is_open.clear()
    bridged = tenancy.resolve("acme.test")
    with pytest.raises(errors.CatalogUnavailable) as caught:
        tenancy.resolve("other.test")
    door.is_open.set()

    assert bridged == known
    assert caught.value.what == "other.test"
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert tenancy.cache_stats().stale == 1


def test_a_locked_catalog_is_bridged_too_and_refuses_writes(postgres_site):
    tenancy = postgres_site.tenancy(listen=False, cache_ttl_s=0, catalog_timeout_s=0.1)
    postgres_site.make(tenancy, "acme")
    tenancy.tenant("acme")
    with postgres_site.engine().connect() as locker:
        locker.exec_driver_sql("LOCK TABLE tenancy_tenants")

        bridged = tenancy.tenant("acme")
        with postgres_site.catalog.connect() as connection:
            connection.exec_driver_sql("SET lock_timeout = '50ms'")
            with pytest.raises(exc.OperationalError):
                connection.exec_driver_sql("UPDATE tenancy_tenants SET epoch = epoch")
            connection.invalidate()

    assert bridged.key == "acme"
