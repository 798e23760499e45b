from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from roomtone_tenancy import Server, TenantState, errors
from roomtone_tenancy.announcements import NAME
from roomtone_tenancy.changes import Change

WAIT_S = 20.0


@pytest.fixture
def hears():
    """Have the tenancy listen, and give an event that is set by the wanted change."""

    def hears(tenancy, is_wanted=lambda change: True):
        with pytest.raises(errors.UnknownHost):
            tenancy.resolve("nobody.test")
        assert tenancy._lookups.announcements.wait(WAIT_S)
        heard = threading.Event()
        tenancy._lookups.changes.subscribe(lambda change: heard.set() if is_wanted(change) else None, lambda: None)
        return heard

    return hears


@pytest.fixture
def pair(postgres_site):
    """Two processes' views of one catalog that would believe an answer for an hour."""
    return [postgres_site.tenancy(cache_ttl_s=3600) for _ in range(2)]


def kill_listeners(site):
    with site.admin() as admin:
        killed = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name = %s",
            [site.catalog.url.database, NAME],
        ).fetchall()
    return len(killed)


def test_a_change_is_seen_by_other_processes_at_once(postgres_site, pair, hears):
    here, elsewhere = pair
    postgres_site.make(here, "acme", domains=["acme.test"])
    suspended = hears(elsewhere, lambda change: change.key == "acme")
    before = (elsewhere.tenant("acme").state, elsewhere.resolve("acme.test").state)

    postgres_site.change(here.suspend, "acme", reason="unpaid")

    assert suspended.wait(WAIT_S)
    assert before == (TenantState.ACTIVE, TenantState.ACTIVE)
    assert {elsewhere.tenant("acme").state, elsewhere.resolve("acme.test").state} == {TenantState.SUSPENDED}


def test_a_host_that_nobody_had_is_found_as_soon_as_its_tenant_exists(postgres_site, pair, hears):
    here, elsewhere = pair
    added = hears(elsewhere, lambda change: change.host == "acme.test")
    with pytest.raises(errors.UnknownHost):
        elsewhere.resolve("acme.test")

    postgres_site.register(here, "acme", domains=["acme.test"])

    assert added.wait(WAIT_S)
    assert elsewhere.resolve("acme.test").key == "acme"


def test_a_domain_moved_from_one_tenant_to_another_is_followed_under_both(postgres_site, pair, hears):
    here, elsewhere = pair
    for key in "ab":
        postgres_site.make(here, key, domains=[f"{key}.test", f"www.{key}.test"])
    ids = {here.tenant(key).id for key in "ab"}
    told = [hears(elsewhere, lambda change, own=each: (change.tenant, change.host) == (own, "www.a.test")) for each in ids]
    before = [elsewhere.resolve("www.a.test").key, elsewhere.tenant("a").domains, elsewhere.tenant("b").domains]

    with Session(postgres_site.catalog) as session, session.begin():
        session.execute(text("UPDATE tenancy_domains SET tenant_id = :b WHERE host = 'www.a.test'"), {"b": here.tenant("b").id})

    assert all(each.wait(WAIT_S) for each in told)
    assert before == ["a", ("a.test", "www.a.test"), ("b.test", "www.b.test")]
    assert elsewhere.resolve("www.a.test").key == "b"
    assert elsewhere.tenant("a").domains == ("a.test",)
    assert elsewhere.tenant("b").domains == ("b.test", "www.a.test", "www.b.test")


def test_a_change_of_one_tenant_leaves_others_in_memory(postgres_site, pair, hears):
    here, elsewhere = pair
    for key in "ab":
        postgres_site.make(here, key)
    heard = hears(elsewhere, lambda change: change.key == "b")
    for key in "ab":
        elsewhere.tenant(key)
    loads = elsewhere.cache_stats().loads

    postgres_site.change(here.update_metadata, "b", plan="pro")

    assert heard.wait(WAIT_S)
    assert (elsewhere.tenant("a").key, elsewhere.tenant("b").metadata["plan"]) == ("a", "pro")
    assert elsewhere.cache_stats().loads == loads + 1


def test_a_server_switched_off_is_off_everywhere(postgres_site, pair, hears):
    here, elsewhere = pair
    postgres_site.make(here, "acme")
    disabled = hears(elsewhere, lambda change: change.server == "main")
    with elsewhere.use("acme"), elsewhere.session():
        pass

    with Session(postgres_site.catalog) as session, session.begin():
        here.servers.disable(session, "main")

    assert disabled.wait(WAIT_S)
    with elsewhere.use("acme"), pytest.raises(errors.ServerDisabled):
        elsewhere.session()


def test_what_was_missed_while_the_connection_was_away_is_read_again(postgres_site, pair, hears):
    here, elsewhere = pair
    postgres_site.make(here, "acme")
    hears(elsewhere)
    elsewhere.tenant("acme")
    doubts = threading.Semaphore(0)
    elsewhere._lookups.changes.subscribe(lambda change: None, doubts.release)

    killed = kill_listeners(postgres_site)
    assert doubts.acquire(timeout=WAIT_S), "the loss is noticed"
    postgres_site.change(here.suspend, "acme", reason="unpaid")
    assert doubts.acquire(timeout=WAIT_S), "it listens again"

    assert killed >= 1
    assert elsewhere.tenant("acme").state is TenantState.SUSPENDED
    assert elsewhere._lookups.announcements.is_alive


def test_disposing_ends_the_thread_and_its_connection_and_a_later_look_up_begins_again(postgres_site, pair, hears):
    tenancy = pair[0]
    hears(tenancy)
    first = tenancy._lookups.announcements._thread

    tenancy.dispose()
    first.join(WAIT_S)
    left = kill_listeners(postgres_site)
    hears(tenancy)

    assert (first.is_alive(), left) == (False, 0)


def test_nothing_listens_before_the_first_look_up_nor_when_it_is_not_wanted(postgres_site):
    tenancy = postgres_site.tenancy()
    quiet = postgres_site.tenancy(listen=False)

    quiet.exists("acme")

    assert quiet._lookups.announcements is None
    assert kill_listeners(postgres_site) == 0
    assert not tenancy._lookups.announcements.is_alive


def test_a_connection_that_hears_nothing_is_found_out(postgres_site, monkeypatch):
    monkeypatch.setattr("roomtone_tenancy.announcements.PROOF_S", 0.1)
    tenancy = postgres_site.tenancy()
    tried = threading.Semaphore(0)

    def make_deaf(connection, cursor, statement, *_):
        if "pg_notify" in statement:
            tried.release()
            return "SELECT 1", ()
        return statement, _[0]

    event.listen(postgres_site.engines[-1], "before_cursor_execute", make_deaf, retval=True)

    tenancy.exists("acme")

    assert all(tried.acquire(timeout=WAIT_S) for _ in range(2))
    assert not tenancy._lookups.announcements.is_alive


@pytest.mark.parametrize("payload", ["", "no JSON", "[]", "7", '{"new": "words"}'])
def test_an_announcement_in_other_words_is_a_reason_to_doubt_everything_or_nothing(postgres_site, pair, hears, payload):
    tenancy = pair[0]
    heard = hears(tenancy)
    doubted = threading.Event()
    tenancy._lookups.changes.subscribe(lambda change: doubted.set() if change == Change() else None, doubted.set)

    with postgres_site.catalog.begin() as connection:
        connection.execute(text("SELECT pg_notify('tenancy_changes', :payload)"), {"payload": payload})

    assert doubted.wait(WAIT_S)
    assert heard.is_set() or tenancy._lookups.announcements.is_alive


OTHER = """
    from pathlib import Path
    from sqlalchemy import create_engine
    from roomtone_tenancy import KeyRing, Server, Tenancy

    tenancy = Tenancy(create_engine({catalog!r}), servers=[Server("main", {server!r})], migrations=Path({migrations!r}),
                      keys=KeyRing.from_text({keys!r}), cache_ttl_s=3600)
    tenancy.exists("acme")
    assert tenancy._lookups.announcements.wait(20)
    print(tenancy.tenant("acme").state, flush=True)
    input()
    told = __import__("threading").Event()
    while tenancy.tenant("acme").state == "active":
        told.wait(0.01)
    print(tenancy.tenant("acme").state, flush=True)
    tenancy.dispose()
"""


def test_a_real_second_process_follows(postgres_site):
    tenancy = postgres_site.tenancy()
    postgres_site.make(tenancy, "acme")
    program = textwrap.dedent(OTHER).format(
        catalog=postgres_site.catalog_url,
        server=postgres_site.server_url,
        migrations=str(postgres_site.migrations),
        keys=postgres_site.keys.to_text(),
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        before = other.stdout.readline().strip()
        postgres_site.change(tenancy.suspend, "acme", reason="unpaid")
        after, _ = other.communicate("\n", timeout=60)

    assert (before, after.strip()) == ("active", "suspended")
    assert other.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_listens_for_itself_and_leaves_its_parents_connection_alone(postgres_site, pair, hears):
    tenancy = pair[0]
    heard = hears(tenancy, lambda change: change.key == "acme")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            postgres_site.engines[-2].dispose(close=False)
            announcements = tenancy._lookups.announcements
            was_alive = announcements.is_alive
            announcements.ensure()
            status = 0 if not was_alive and announcements.wait(WAIT_S) else 2
            announcements.stop()
        finally:
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    postgres_site.register(pair[1], "acme")

    assert ended == 0
    assert heard.wait(WAIT_S)


def test_a_catalog_in_a_file_announces_nothing(sqlite_site):
    tenancy = sqlite_site.tenancy(servers=[Server("main", sqlite_site.server_url)])

    tenancy.exists("acme")

    assert tenancy._lookups.announcements is None
