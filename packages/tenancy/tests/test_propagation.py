"""Carrying the tenant elsewhere: with the documented means it arrives, without them there is none."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from roomtone_tenancy import PoolLimits, errors


@pytest.fixture
def tenancy(sqlite_site):
    """Registered only: a scope needs no database."""
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b"):
        sqlite_site.register(tenancy, key)
    return tenancy


@pytest.fixture
def peek(tenancy):
    def peek(*_):
        try:
            return tenancy.current.key
        except errors.NoTenant:
            return None

    return peek


def in_thread(function):
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(function).result()


def test_a_bound_function_works_for_its_tenant_in_a_thread_and_an_unbound_one_for_none(tenancy, peek):
    with tenancy.use("a"):
        bound = tenancy.scope.bound(peek)

    assert (in_thread(bound), in_thread(peek), bound(), peek()) == ("a", None, "a", None)


def test_a_bound_function_is_refused_within_another_tenants_block(tenancy, peek):
    with tenancy.use("a"):
        bound = tenancy.scope.bound(peek)

    with tenancy.use("b"), pytest.raises(errors.TenantSwitch):
        bound()


def test_nothing_can_be_carried_when_nothing_is_in_scope(tenancy, peek):
    for carry in (tenancy.scope.bound, tenancy.scope.stream):
        with pytest.raises(errors.NoTenant):
            carry(peek)
    with tenancy.scope.executor(1) as threads, pytest.raises(errors.NoTenant):
        threads.submit(peek)


def test_each_call_of_an_executor_works_for_the_tenant_of_its_submit(tenancy, peek):
    with tenancy.scope.executor(1) as threads:
        with tenancy.use("a"):
            first = threads.submit(peek)
        with tenancy.use("b"):
            second = threads.map(peek, range(2))

        assert (first.result(), list(second)) == ("a", ["b", "b"])


def test_an_exception_in_a_carried_call_leaves_no_tenant_in_its_thread(tenancy, peek):
    def fail():
        raise KeyError

    with tenancy.use("a"):
        bound = tenancy.scope.bound(fail)
    with ThreadPoolExecutor(1) as threads:
        failed, after = threads.submit(bound), threads.submit(peek)

    assert isinstance(failed.exception(), KeyError)
    assert after.result() is None


def test_a_stream_is_made_within_its_scope_by_whoever_consumes_it(tenancy, peek):
    def rows():
        try:
            yield peek()
            yield peek()
            yield peek()
        finally:
            seen.append(peek())

    seen = []
    with tenancy.use("a"):
        stream = tenancy.scope.stream(rows())
    seen.append(next(stream))
    with tenancy.use("b"):
        seen.append(next(stream))
        seen.append(peek())
    seen.append(in_thread(lambda: next(stream)))
    seen.append(contextvars.Context().run(lambda: next(stream, "end")))

    assert seen == ["a", "a", "b", "a", "a", "end"]
    assert peek() is None


def test_a_stream_closed_early_ends_its_source_within_its_scope(tenancy, peek):
    def rows():
        try:
            yield 1
        finally:
            seen.append(peek())

    seen = []
    with tenancy.use("a"):
        stream = tenancy.scope.stream(rows())
    next(stream)

    in_thread(stream.close)
    with tenancy.use("a"):
        tenancy.scope.stream([1]).close()

    assert (seen, peek()) == (["a"], None)


def test_a_plain_generator_consumed_after_the_block_has_no_tenant(tenancy, peek):
    def rows():
        yield peek()

    with tenancy.use("a"):
        generator = rows()

    assert next(generator) is None


def test_tasks_inherit_the_tenant_and_run_in_executor_does_not(tenancy, peek):
    async def work():
        loop = asyncio.get_running_loop()
        with tenancy.use("a"):
            task = asyncio.create_task(asyncio.sleep(0, peek()))
            inherited = asyncio.create_task(later())
            bare = await loop.run_in_executor(None, peek)
            bound = await loop.run_in_executor(None, tenancy.scope.bound(peek))
        return await task, await inherited, bare, bound, peek()

    async def later():
        await asyncio.sleep(0)
        return peek()

    assert asyncio.run(work()) == ("a", "a", None, "a", None)


def test_the_next_request_of_a_worker_that_failed_has_no_tenant(tenancy, peek):
    """One thread serves one host after another, as a server's worker does; a failure leaves nothing behind."""
    seen = []

    def request(key, error):
        seen.append(peek())
        with tenancy.use(key):
            seen.append(peek())
            if error is not None:
                raise error

    with ThreadPoolExecutor(1) as worker:
        for key, error in (
            ("a", KeyError()),
            ("b", None),
            ("a", TimeoutError()),
            ("b", errors.NoTenant()),
            ("a", SystemExit()),
            ("b", None),
        ):
            worker.submit(request, key, error).exception()

    assert seen == [None, "a", None, "b", None, "a", None, "b", None, "a", None, "b"]


def test_every_nested_exit_restores_the_tenant_before(tenancy, peek):
    seen = []
    with tenancy.use("a"):
        for error in (KeyError, GeneratorExit, SystemExit):
            with pytest.raises(error), tenancy.use("b", allow_switch=True), tenancy.use("a", allow_switch=True):
                raise error
            seen.append(peek())
        with tenancy.scope.executor(2) as threads:
            failed = [threads.submit(tenancy.use("b").__enter__) for _ in range(4)]
        assert all(isinstance(each.exception(), errors.TenantSwitch) for each in failed)
        seen.append(peek())

    assert (seen, peek()) == (["a"] * 4, None)


def test_sixteen_threads_read_nothing_but_their_tenants_marker(site):
    keys = [f"t{number}" for number in range(6)]
    tenancy = site.tenancy(pools=PoolLimits(per_server=4, wait_s=60))
    for key in keys:
        site.make(tenancy, key)
        with tenancy.use(key), tenancy.session() as session:
            session.add(site.Artist(id=1, name=key))
            session.commit()
    wrong, start = [], threading.Barrier(16)

    def work(worker):
        start.wait()
        for turn in range(20):
            key = keys[(worker * 7 + turn * 5) % 6]
            with tenancy.use(key), tenancy.session() as session:
                name = session.scalars(select(site.Artist.name).where(site.Artist.id == 1)).one()
                if name != key or tenancy.current.key != key:
                    wrong.append((key, name))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(16)))

    assert wrong == []
