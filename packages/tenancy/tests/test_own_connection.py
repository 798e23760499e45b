from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, text

from roomtone_tenancy import own_connection
from roomtone_tenancy.own_connection import NAME
from roomtone_tenancy.reading import CatalogReader

WAIT_S = 30.0


@pytest.fixture
def reader(postgres_site):
    reader = CatalogReader(postgres_site.catalog, timeout_s=WAIT_S, keeps=lambda: True)
    yield reader
    reader.stop()


def pid(connection):
    return connection.scalar(text("SELECT pg_backend_pid()"))


def readers(site):
    """The connections that are open, by what the server calls them."""
    with site.admin() as admin:
        rows = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s", [site.catalog.url.database, NAME]
        ).fetchall()
    return {pid for (pid,) in rows}


def wait_until(holds):
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def kill(site, pid):
    with site.admin() as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", [pid])
    wait_until(lambda: pid not in readers(site))


def test_reads_share_one_connection_that_the_hosts_pool_does_not_count(postgres_site, reader):
    taken = []
    event.listen(postgres_site.catalog, "checkout", lambda *_: taken.append(1))

    found = {reader.read(pid) for _ in range(5)}

    assert found == readers(postgres_site)
    assert (len(taken), postgres_site.catalog.pool.checkedout()) == (1, 0)


def test_a_read_is_one_statement_with_the_servers_own_time_out(postgres_site, reader):
    reader.read(pid)
    said = []
    event.listen(postgres_site.catalog, "before_cursor_execute", lambda *arguments: said.append(arguments[2]))

    limit = reader.read(lambda connection: connection.scalar(text("SHOW statement_timeout")))

    assert (limit, said) == ("30s", ["SHOW statement_timeout"])


def test_a_connection_that_died_is_replaced_within_the_read(postgres_site, reader):
    first = reader.read(pid)
    kill(postgres_site, first)

    second = reader.read(pid)

    assert second != first


def test_an_error_of_the_query_is_the_callers_and_the_connection_stays(reader):
    first = reader.read(pid)

    with pytest.raises(ZeroDivisionError):
        reader.read(lambda _: 1 // 0)
    with pytest.raises(Exception, match="division by zero"):
        reader.read(lambda connection: connection.execute(text("SELECT 1 / 0")))

    assert reader.read(pid) == first


def test_who_finds_it_busy_reads_over_the_hosts_pool(reader):
    begun, release = threading.Event(), threading.Event()

    def slow(connection):
        begun.set()
        assert release.wait(WAIT_S)
        return pid(connection)

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(reader.read, slow)
        assert begun.wait(WAIT_S)
        others = {reader.read(pid) for _ in range(2)}
        release.set()

    assert first.result() not in others


def test_it_is_closed_when_nothing_was_read_for_a_while_and_opened_again(monkeypatch, postgres_site, reader):
    monkeypatch.setattr(own_connection, "IDLE_S", 0.01)

    reader.read(pid)

    wait_until(lambda: not readers(postgres_site))
    assert reader.read(pid)


def test_it_is_opened_anew_when_it_is_old(monkeypatch, reader):
    first = reader.read(pid)
    monkeypatch.setattr(own_connection, "AGE_MAX_S", 0.0)

    assert reader.read(pid) != first


def test_disposing_of_a_tenancy_closes_it(postgres_site):
    tenancy = postgres_site.tenancy()
    tenancy.exists("acme")
    assert tenancy._lookups.announcements.wait(WAIT_S)
    tenancy.exists("other")
    was_open = readers(postgres_site)

    tenancy.dispose()

    assert len(was_open) == 1
    wait_until(lambda: not readers(postgres_site))


def test_a_tenancy_that_does_not_listen_keeps_none(postgres_site):
    tenancy = postgres_site.tenancy(listen=False)
    tenancy.exists("acme")
    tenancy.exists("other")

    assert readers(postgres_site) == set()


def test_a_child_process_reads_over_its_own_and_leaves_its_parents_alone(postgres_site, reader):
    first = reader.read(pid)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            postgres_site.catalog.dispose(close=False)
            status = 0 if reader.read(pid) != first else 2
            reader.stop()
        finally:
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert (ended, reader.read(pid)) == (0, first)
