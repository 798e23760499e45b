from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from roomtone_tenancy import Server, errors
from roomtone_tenancy.places import SIDE_BY_SIDE_MAX

HELD = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objsubid = 2 AND objid > 0")
FAIL_RATHER_THAN_WAIT = text("SET LOCAL lock_timeout = '30s'")  # a transaction that this thread itself has open never ends meanwhile


@pytest.fixture
def open_session(postgres_site):
    """Transactions side by side in one thread: were one to wait for another, it would fail."""
    with ExitStack() as stack:

        def begin():
            session = stack.enter_context(Session(postgres_site.engine()))
            session.execute(FAIL_RATHER_THAN_WAIT)
            return session

        yield begin


def waiting(session):
    """Whether some session of this database waits for an advisory lock."""
    return session.scalar(text("SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database "
                               "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database())"))  # fmt: skip


def test_sign_ups_do_not_wait_for_one_another_even_for_the_first_tenant_of_a_server(postgres_site, open_session):
    tenancy = postgres_site.tenancy()
    sessions = [open_session() for _ in range(5)]

    for number, session in enumerate(sessions):
        tenancy.register(session, f"tenant-{number}", domains=[f"tenant-{number}.test"])
    for session in reversed(sessions):
        session.commit()

    assert len(tenancy.tenants()) == 5


def test_sign_ups_take_spares_side_by_side(postgres_site, open_session):
    tenancy = postgres_site.tenancy()
    tenancy.spares.refill(2)
    first, second = open_session(), open_session()

    made = [tenancy.register(first, "a"), tenancy.register(second, "b")]
    second.commit()
    first.commit()

    assert [tenant.state for tenant in made] == ["active", "active"]


def test_each_tenant_of_a_transaction_holds_a_ticket_and_none_is_left_when_it_ends(postgres_site, open_session):
    tenancy, session = postgres_site.tenancy(), open_session()

    held = []
    for key in ("a", "b", "c"):
        tenancy.register(session, key)
        held.append(session.scalar(HELD))
    session.commit()

    assert held == [1, 2, 3]
    assert session.scalar(HELD) == 0


def test_one_of_the_last_places_is_taken_when_those_before_have_ended(postgres_site, open_session):
    tenancy = postgres_site.tenancy(servers=[Server("main", postgres_site.server_url, capacity=SIDE_BY_SIDE_MAX)])
    beside, last = open_session(), open_session()
    tenancy.register(beside, "a")
    postgres_site.register(tenancy, "c")  # side by side with it, since it is not one of the last

    with ThreadPoolExecutor(1) as thread:
        later = thread.submit(tenancy.register, last, "b")
        with postgres_site.engine().connect() as looker:
            until(lambda: waiting(looker))
        was_done = later.done()
        beside.commit()
        later.result(30)
    last.commit()

    assert not was_done
    assert [tenant.key for tenant in tenancy.tenants()] == ["a", "b", "c"]


def test_draining_waits_for_those_that_are_just_being_placed(postgres_site, open_session):
    tenancy = postgres_site.tenancy()
    placed, draining = open_session(), open_session()
    tenancy.register(placed, "a")

    with ThreadPoolExecutor(1) as thread:
        drained = thread.submit(tenancy.servers.drain, draining, "main")
        with postgres_site.engine().connect() as looker:
            until(lambda: waiting(looker))
        placed.commit()
        drained.result(30)
    draining.commit()

    with pytest.raises(errors.NoServer):
        postgres_site.register(tenancy, "b")


def test_a_server_is_filled_to_its_capacity_and_never_beyond_while_some_change_their_mind(site):
    capacity = SIDE_BY_SIDE_MAX + 8
    tenancy = site.tenancy(servers=[Server("main", site.server_url, capacity=capacity)])
    seen = []
    lock = threading.Lock()

    def sign_up(number):
        with Session(site.catalog) as session:
            try:
                tenancy.register(session, f"tenant-{number}")
            except errors.NoServer:
                return False
            (session.rollback if number % 4 == 0 else session.commit)()
        with lock:
            seen.append(tenancy.servers.list()[0].tenants)
        return True

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(sign_up, range(70)))

    assert max(seen) == capacity
    assert tenancy.servers.list()[0].tenants == capacity


def until(fact):
    """Wait for a fact; it comes about by itself or the test fails after a minute."""
    for _ in range(6000):
        if fact():
            return
        threading.Event().wait(0.01)
    raise AssertionError("It never happened.")
