"""Proof that one tenant's work neither writes to another's database nor shows another's rows."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import sqlalchemy

from ..errors import NoTenant
from ..key import random_text
from ..tenancy import Tenancy
from ..tenant import Tenant

Work = Callable[[Tenant, str], object]

_START_WAIT_S = 30.0


def fingerprint(tenancy: Tenancy, key: str) -> str:
    """A digest of every row of every table of the tenant: equal as long as nothing was written. Reads the whole database."""
    return hashlib.sha256(repr(sorted(_rows(tenancy, key))).encode()).hexdigest()


@contextmanager
def untouched(tenancy: Tenancy, key: str) -> Iterator[None]:
    """Fail when anything in this tenant's database changes within the block.

    Raises:
        AssertionError: it changed.
    """
    before = fingerprint(tenancy, key)
    yield
    assert fingerprint(tenancy, key) == before, f"The database of tenant {key!r} changed while only others were meant to."


class LeakDetector:
    """Runs the same work for two tenants, in turn and at once, and fails on any crossing between them.

    Args:
        tenancy: whose tenants they are.
        tenants: two of them; the work's writes stay in their databases.
    """

    def __init__(self, tenancy: Tenancy, tenants: tuple[Tenant, Tenant]) -> None:
        self._tenancy, self._tenants = tenancy, tenants
        self._markers = {tenant.id: f"mark-{random_text(16)}" for tenant in tenants}
        self._was_seen: set[str] = set()

    def __call__(self, work: Work, *, rounds: int = 3) -> None:
        """Run the work `rounds` times for each tenant in turn, then as often for both at once.

        Args:
            work: given a tenant and a text, it does what a request, a job or a task of that tenant does, writes the text
                somewhere, and returns what the tenant gets to see: text, bytes, rows, a response. It sets the scope itself, as
                the application would. A coroutine function is run as two tasks of one loop.

        Raises:
            AssertionError: work of one tenant changed the other's database, or left its text there; it returned the other's
                text; it left a tenant in scope; or its text was nowhere to be found, so that nothing was proved.
        """
        for _ in range(rounds):
            for tenant, other in (self._tenants, self._tenants[::-1]):
                with untouched(self._tenancy, other.key):
                    self._judge(tenant, _result(work(tenant, self._markers[tenant.id])))
        self._require_traces()
        (self._as_tasks if inspect.iscoroutinefunction(work) else self._in_threads)(work, rounds)
        for tenant in self._tenants:
            self._search(tenant)

    def _in_threads(self, work: Work, rounds: int) -> None:
        """Two threads that serve both tenants by turns, always both at once."""
        with ThreadPoolExecutor(len(self._tenants)) as pool:
            for number in range(rounds * 2):
                start = threading.Barrier(len(self._tenants))
                order = self._tenants if number % 2 else self._tenants[::-1]
                for tenant, result in zip(order, pool.map(lambda each: self._at_once(work, each, start), order), strict=True):  # noqa: B023
                    self._judge(tenant, result)

    def _at_once(self, work: Work, tenant: Tenant, start: threading.Barrier) -> object:
        start.wait(_START_WAIT_S)
        result = work(tenant, self._markers[tenant.id])
        self._require_no_scope(tenant)
        return result

    def _as_tasks(self, work: Work, rounds: int) -> None:
        async def both() -> list[Any]:  # Any: whatever the work returns
            tasks = (cast(Awaitable[Any], work(tenant, self._markers[tenant.id])) for tenant in self._tenants)
            return await asyncio.gather(*tasks)

        for _ in range(rounds):
            for tenant, result in zip(self._tenants, asyncio.run(both()), strict=True):
                self._judge(tenant, result)

    def _judge(self, tenant: Tenant, result: object) -> None:
        self._require_no_scope(tenant)
        for each in self._tenants:
            if _shows(result, self._markers[each.id]):
                assert each.id == tenant.id, f"Work for tenant {tenant.key!r} returned what tenant {each.key!r} had written."
                self._was_seen.add(each.id)

    def _require_no_scope(self, tenant: Tenant) -> None:
        try:
            left = self._tenancy.current
        except NoTenant:
            return
        raise AssertionError(f"Work for tenant {tenant.key!r} left tenant {left.key!r} in scope.")

    def _require_traces(self) -> None:
        """Fail when nobody's text is anywhere: then no crossing could be seen either."""
        for tenant in self._tenants:
            if tenant.id not in self._was_seen and not self._search(tenant):
                raise AssertionError(
                    f"Work for tenant {tenant.key!r} neither wrote nor returned the text that it was given, so no leak could be seen. "
                    "Let the work write it where the tenant's data goes."
                )

    def _search(self, tenant: Tenant) -> bool:
        """Whether the tenant's text is in its database; nobody else's may be."""
        is_there = False
        for table, row in _rows(self._tenancy, tenant.key):
            for each in self._tenants:
                if self._markers[each.id] in row:
                    assert each.id == tenant.id, f"A row of tenant {each.key!r} is in table {table!r} of tenant {tenant.key!r}."
                    is_there = True
        return is_there


def _rows(tenancy: Tenancy, key: str) -> Iterator[tuple[str, str]]:
    """Every row of every table, as text."""
    with tenancy.use(key, allow_switch=True), tenancy.session() as session:
        connection = session.connection()
        quote = connection.dialect.identifier_preparer.quote_identifier
        for table in sorted(sqlalchemy.inspect(connection).get_table_names()):
            for row in connection.exec_driver_sql(f"SELECT * FROM {quote(table)}"):  # noqa: S608 -- a quoted name of its own schema
                yield table, repr(row)


def _result(given: object) -> object:
    return asyncio.run(_awaited(given)) if inspect.isawaitable(given) else given


async def _awaited(given: Awaitable[object]) -> object:
    return await given


def _shows(result: object, marker: str) -> bool:
    """Whether the text is in what was returned, however deep."""
    match result:
        case str():
            return marker in result
        case bytes():
            return marker.encode() in result
        case Mapping():
            return _shows([*result.keys(), *result.values()], marker)
        case list() | tuple() | set() | frozenset():
            return any(_shows(each, marker) for each in cast(Iterable[object], result))
    text = getattr(result, "text", None)  # a response, of Werkzeug, httpx or requests
    return marker in (text if isinstance(text, str) else repr(result))
