from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor

import pytest

from roomtone_tenancy import errors


@pytest.fixture
def tenancy(sqlite_site):
    """Registered only: a scope needs no database."""
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b"):
        sqlite_site.register(tenancy, key)
    return tenancy


def test_nothing_in_scope_is_an_error_and_never_a_default(tenancy):
    with pytest.raises(errors.NoTenant):
        _ = tenancy.current
    with pytest.raises(errors.NoTenant):
        tenancy.session()


def test_an_exception_inside_restores_the_tenant_before(tenancy):
    with tenancy.use("a"):
        with pytest.raises(KeyError), tenancy.use("b", allow_switch=True):
            raise KeyError

        assert tenancy.current.key == "a"
    with pytest.raises(errors.NoTenant):
        _ = tenancy.current


def test_a_block_for_another_tenant_is_refused_unless_asked_for(tenancy):
    with tenancy.use("a"):
        with pytest.raises(errors.TenantSwitch) as caught, tenancy.use("b"):
            raise AssertionError
        with tenancy.use("b", allow_switch=True):
            inner = tenancy.current.key

        assert (caught.value.current, caught.value.wanted, inner, tenancy.current.key) == ("a", "b", "b", "a")


def test_a_block_for_the_same_tenant_may_be_nested(tenancy):
    with tenancy.use("a"), tenancy.use("a") as tenant:
        assert tenant.key == "a"


def test_an_unknown_tenant_cannot_be_entered(tenancy):
    with pytest.raises(errors.UnknownTenant):
        tenancy.use("nobody")


def test_a_thread_has_no_tenant_unless_the_context_is_carried_over(tenancy):
    def peek():
        try:
            return tenancy.current.key
        except errors.NoTenant:
            return None

    with tenancy.use("a"), ThreadPoolExecutor(1) as threads:
        bare = threads.submit(peek).result()
        carried = threads.submit(contextvars.copy_context().run, peek).result()

    assert (bare, carried) == (None, "a")


def test_tasks_have_their_own_tenants(tenancy):
    async def work(key):
        with tenancy.use(key):
            await asyncio.sleep(0)
            return tenancy.current.key

    async def both():
        return await asyncio.gather(work("a"), work("b"))

    assert asyncio.run(both()) == ["a", "b"]


def test_a_generator_left_early_restores_the_tenant(tenancy):
    def rows():
        with tenancy.use("a"):
            yield 1
            yield 2

    generator = rows()
    next(generator)
    generator.close()

    with pytest.raises(errors.NoTenant):
        _ = tenancy.current


def test_two_tenancies_in_one_process_share_no_scope(tenancy, sqlite_site):
    other = sqlite_site.tenancy()

    with tenancy.use("a"), pytest.raises(errors.NoTenant):
        _ = other.current
