from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from roomtone_tenancy import PoolLimits, errors
from roomtone_tenancy.fleet.fanout import FanOut
from roomtone_tenancy.testing.clock import FakeClock


def write_artist(tenancy, key):
    with tenancy.use(key), tenancy.session() as session:
        session.execute(text("INSERT INTO artist (name) VALUES (:key)"), {"key": key})
        session.commit()


def test_map_gives_each_tenants_own_answer_with_its_tenant(site, make_fleet):
    tenancy = make_fleet(4)
    for number in range(4):
        write_artist(tenancy, f"t00{number}")

    def read(session, tenant):
        assert tenancy.current == tenant
        return session.scalar(select(site.Artist.name))

    answers = tenancy.map(read, concurrency=2)
    got = {outcome.tenant.key: outcome.value for outcome in answers}

    assert got == {f"t00{number}": f"t00{number}" for number in range(4)}
    assert answers.left == ()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_what_is_not_committed_is_rolled_back_and_the_scope_outside_stays(site, make_fleet):
    tenancy = make_fleet(2)

    with tenancy.use("t000"):
        list(tenancy.map(lambda session, tenant: session.execute(text("INSERT INTO artist (name) VALUES ('x')"))))
        counts = [outcome.value for outcome in tenancy.map(lambda session, tenant: session.scalar(text("SELECT count(*) FROM artist")))]

        assert (counts, tenancy.current.key) == ([0, 0], "t000")


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_errors_are_outcomes_and_left_resumes_them(site, make_fleet):
    tenancy = make_fleet(3)
    broken = {"t001"}

    def read(session, tenant):
        if tenant.key in broken:
            raise RuntimeError("not today")
        return tenant.key

    first = tenancy.map(read, concurrency=1)
    errors_seen = {outcome.tenant.key: str(outcome.error) for outcome in first if outcome.error}
    broken.clear()
    second = [outcome.value for outcome in tenancy.map(read, only=first.left)]

    assert (errors_seen, first.left, second) == ({"t001": "not today"}, ("t001",), ["t001"])


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_stop_begins_no_more_after_an_error(site, make_fleet):
    tenancy, called = make_fleet(4), []

    def fail(session, tenant):
        called.append(tenant.key)
        raise RuntimeError("no")

    with pytest.raises(errors.TenantCallFailed) as caught:
        list(tenancy.map(fail, concurrency=1, on_error="stop"))

    assert (caught.value.key, called) == ("t000", ["t000"])
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_no_more_are_called_at_once_than_there_are_connections(site, make_fleet):
    make_fleet(6)
    tenancy = site.tenancy(pools=PoolLimits(per_server=2, wait_s=60))
    now, most, lock = [0], [0], threading.Lock()

    def call(session, tenant):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        session.scalar(text("SELECT count(*) FROM artist"))
        with lock:
            now[0] -= 1

    assert all(outcome.error is None for outcome in tenancy.map(call, concurrency=6))
    assert most[0] <= 2


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_after_the_deadline_nothing_is_begun(site, make_fleet):
    tenancy = make_fleet(3)

    answers = tenancy.map(lambda session, tenant: tenant.key, deadline_s=0)

    assert (list(answers), answers.left) == ([], ("t000", "t001", "t002"))


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_consumer_that_stops_leaves_the_rest(site, make_fleet):
    tenancy = make_fleet(5)
    answers = tenancy.map(lambda session, tenant: tenant.key, concurrency=1)

    first = next(iter(answers))
    answers.close()

    assert answers.left == tuple(f"t00{number}" for number in range(5) if f"t00{number}" != first.value)


def test_suspended_tenants_are_left_out_and_where_leaves_out_more(site, make_fleet):
    tenancy = make_fleet(3)
    site.change(tenancy.suspend, "t000", reason="unpaid")

    answers = tenancy.map(lambda session, tenant: tenant.key, where=lambda tenant: tenant.key != "t001")

    assert [outcome.value for outcome in answers] == ["t002"]


def test_only_the_active_are_called_and_a_note_costs_one_write_an_hour(site, make_fleet):
    make_fleet(3)
    clock = FakeClock()
    tenancy = site.tenancy(clock=clock)
    activity = tenancy.fleet.activity
    clock.advance(timedelta(days=8))

    wrote = [activity.note(tenancy.tenant("t001")) for _ in range(3)]
    active = tenancy.map(lambda session, tenant: tenant.key, where=activity.active(days=7))

    assert wrote == [True, False, False]
    assert [outcome.value for outcome in active] == ["t001"]
    clock.advance(timedelta(hours=1))
    assert activity.note(tenancy.tenant("t001"))
    assert activity.last_seen(tenancy.tenant("t001")) == clock()
    assert activity.last_seen(tenancy.tenant("t000")) is None


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_an_older_note_never_replaces_a_newer_one(site, make_fleet):
    make_fleet(1)
    behind, ahead = FakeClock(), FakeClock()
    ahead.advance(timedelta(days=1))
    slow, fast = site.tenancy(clock=behind), site.tenancy(clock=ahead)

    fast.fleet.activity.note(fast.tenant("t000"))
    slow.fleet.activity.note(slow.tenant("t000"))

    assert slow.fleet.activity.last_seen(slow.tenant("t000")) == ahead()


def test_a_concurrency_of_none_is_refused():
    with pytest.raises(ValueError, match="concurrency"):
        FanOut([], lambda tenant: tenant, concurrency=0, deadline_s=None, on_error="go on")


class Named:
    def __init__(self, key):
        self.key = key


@given(count=st.integers(0, 12), concurrency=st.integers(1, 4), failing=st.sets(st.integers(0, 11)), taken=st.integers(0, 12))
def test_every_tenant_is_either_answered_once_or_left(count, concurrency, failing, taken):
    def call(tenant):
        if tenant.key in failing:
            raise RuntimeError
        return tenant.key

    answers = FanOut([Named(number) for number in range(count)], call, concurrency=concurrency, deadline_s=None, on_error="go on")
    got = list(itertools.islice(answers, taken))
    answers.close()

    values = [outcome.value for outcome in got if outcome.error is None]
    assert len(set(values)) == len(values)
    assert set(values).isdisjoint(answers.left)
    assert len(got) == min(count, taken)
    assert set(answers.left) | set(values) == set(range(count))
