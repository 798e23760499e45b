from __future__ import annotations

import asyncio
import threading

import pytest

from roomtone_tenancy.testing import LeakDetector, fingerprint, untouched


@pytest.fixture
def tenancy(sqlite_site):
    return sqlite_site.tenancy()


@pytest.fixture
def detect(sqlite_site, tenancy):
    return LeakDetector(tenancy, (sqlite_site.make(tenancy, "a"), sqlite_site.make(tenancy, "b")))


@pytest.fixture
def write(sqlite_site, tenancy):
    """Adds a row to the tenant of this key and returns all of its names."""

    def write(key: str, text: str, *, allow_switch: bool = False) -> list[str]:
        with tenancy.use(key, allow_switch=allow_switch), tenancy.session() as session, session.begin():
            session.add(sqlite_site.Artist(name=text))
            session.flush()
            return [artist.name for artist in session.query(sqlite_site.Artist)]

    return write


def test_a_change_is_detected_and_none_is_not(tenancy, detect, write):
    before = fingerprint(tenancy, "a")
    with untouched(tenancy, "a"):
        write("b", "elsewhere")

    def leak():
        with untouched(tenancy, "a"):
            write("a", "leaked")

    with pytest.raises(AssertionError, match="'a' changed"):
        leak()
    assert fingerprint(tenancy, "a") != before


def test_work_that_keeps_to_its_tenant_passes(detect, write):
    detect(lambda tenant, text: {"rows": write(tenant.key, text)})


def test_tasks_that_keep_to_their_tenant_pass(detect, write):
    async def work(tenant, text):
        await asyncio.sleep(0)
        return write(tenant.key, text)

    detect(work)


def test_a_row_written_to_the_other_tenant_is_found(detect, write):
    with pytest.raises(AssertionError, match="'b' changed while only others were meant to"):
        detect(lambda _, text: write("b", text))


def test_a_cache_that_forgets_the_tenant_is_found(detect, write):
    cache = {}

    def work(tenant, text):
        if "rows" not in cache:
            cache["rows"] = write(tenant.key, text)
        return b"%r" % cache["rows"]

    with pytest.raises(AssertionError, match="Work for tenant 'b' returned what tenant 'a' had written"):
        detect(work)


def test_a_scope_that_is_never_left_is_found(tenancy, detect):
    scopes = []

    def work(tenant, text):
        scopes.append(tenancy.use(tenant))
        scopes[-1].__enter__()
        return text

    try:
        with pytest.raises(AssertionError, match=r"tenant '.' left tenant '.' in scope|changed"):
            detect(work)
    finally:
        for scope in reversed(scopes):
            scope.__exit__(None, None, None)


def test_a_tenant_kept_in_a_global_is_found_once_two_threads_meet(detect, write):
    current, both_are_there = {}, threading.Barrier(2)

    def work(tenant, text):
        current["key"] = tenant.key
        if threading.current_thread() is not threading.main_thread():
            both_are_there.wait(10)
        write(current["key"], text)

    with pytest.raises(AssertionError, match=r"A row of tenant '.' is in table 'artist' of tenant '.'"):
        detect(work)


def test_a_tenant_kept_in_a_global_is_found_once_two_tasks_meet(detect, write):
    current = {}

    async def work(tenant, text):
        current["key"] = tenant.key
        await asyncio.sleep(0)
        return write(current["key"], text)

    with pytest.raises(AssertionError, match=r"returned what tenant '.' had written"):
        detect(work)


def test_work_that_proves_nothing_is_refused(detect):
    with pytest.raises(AssertionError, match="neither wrote nor returned the text"):
        detect(lambda _tenant, _text: "always the same")
