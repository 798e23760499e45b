from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from roomtone_tenancy import errors
from roomtone_tenancy.lease import Leases
from roomtone_tenancy.models import LeaseRow


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def leases(site, clock):
    return Leases(catalog=site.catalog, clock=clock)


def check(site, lease):
    with Session(site.catalog) as session:
        lease.check(session)


def set_owner(site, owner):
    with site.catalog.begin() as connection:
        connection.execute(update(LeaseRow).values(owner=owner))


def test_a_living_owner_is_not_replaced(leases):
    with leases.hold("x"), pytest.raises(errors.OperationBusy) as caught, leases.hold("x"):
        raise AssertionError

    assert caught.value.what == "x"


def test_two_names_are_two_leases(leases, site):
    with leases.hold("x") as x, leases.hold("y") as y:
        check(site, x)
        check(site, y)


def test_a_lease_given_back_is_free_and_its_generation_rises(leases):
    with leases.hold("x") as first:
        pass
    with leases.hold("x") as second:
        pass

    assert second.generation == first.generation + 1


def test_a_silent_owner_elsewhere_is_replaced_after_the_time_and_then_fenced(leases, site, clock):
    with leases.hold("x") as slow:
        set_owner(site, "elsewhere/pid:[1]/1/1")
        clock.now += timedelta(seconds=14)
        with pytest.raises(errors.OperationBusy), leases.hold("x"):
            raise AssertionError
        clock.now += timedelta(seconds=2)

        with leases.hold("x") as taker:
            check(site, taker)
            with pytest.raises(errors.LeaseLost):
                check(site, slow)


def test_an_owner_seen_dead_on_this_host_is_replaced_at_once(leases, site):
    with leases.hold("x"):
        with Session(site.catalog) as session:
            place = session.scalars(select(LeaseRow.owner)).one().rpartition("/")[0]
        set_owner(site, f"{place}/1")  # our pid, but started at another time

        with leases.hold("x") as taker:
            check(site, taker)


def test_many_that_try_at_once_have_one_winner(leases):
    barrier, won, busy = threading.Barrier(6), [], []
    over = threading.Event()

    def attempt():
        barrier.wait()
        try:
            with leases.hold("x"):
                won.append(1)
                over.wait(10)
        except errors.OperationBusy:
            busy.append(1)
        if len(busy) == 5:
            over.set()

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), len(busy)) == (1, 5)


def test_a_held_lease_is_renewed(site, clock):
    leases = Leases(catalog=site.catalog, clock=clock, ttl_s=0.03)
    renewed = threading.Event()

    def watch():
        while not renewed.wait(0.01):
            with Session(site.catalog) as session:
                if session.scalars(select(LeaseRow.expires_at)).one() > clock.now + timedelta(seconds=0.02):
                    renewed.set()

    with leases.hold("x"):
        clock.now += timedelta(hours=1)
        watcher = threading.Thread(target=watch)
        watcher.start()

        assert renewed.wait(5)
    renewed.set()
    watcher.join()
