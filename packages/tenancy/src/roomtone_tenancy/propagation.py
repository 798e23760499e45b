"""The tenant in scope, carried to where Python carries no context: threads, executors, streaming bodies."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .context import Scope
from .tenant import Tenant

P = ParamSpec("P")
R = TypeVar("R")


class Propagation:
    """Ways to work on for a tenant elsewhere. Without one of them a thread has no tenant and everything raises `NoTenant`;
    asyncio tasks inherit the tenant that was in scope when they were made, `run_in_executor` does not."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def bound(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, working for the tenant in scope now, wherever and whenever it is called.

        Raises:
            NoTenant: nothing is in scope now.
            TenantSwitch: when it is called within another tenant's block.
        """
        tenant = self._scope.current()

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._scope.enter(tenant, allow_switch=False):
                return function(*args, **kwargs)

        return call

    def executor(self, max_workers: int, **options: Any) -> TenantExecutor:  # options are ThreadPoolExecutor's
        """A `ThreadPoolExecutor` whose calls work for the tenant that was in scope at `submit`."""
        return TenantExecutor(self, max_workers, **options)

    def stream(self, items: Iterable[R]) -> Iterator[R]:
        """The items, each made within the scope of the tenant in scope now: for bodies that a server consumes after the request.

        The scope holds while an item is made and while the source is closed, never between; the consumer may be in another
        thread or task, and in another tenant's block.

        Raises:
            NoTenant: nothing is in scope now.
        """
        return _Stream(self._scope, self._scope.current(), iter(items))


class TenantExecutor(ThreadPoolExecutor):
    """See `Propagation.executor`."""

    def __init__(self, propagation: Propagation, max_workers: int, **options: Any) -> None:  # options are ThreadPoolExecutor's
        super().__init__(max_workers, **options)
        self._propagation = propagation

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """As `ThreadPoolExecutor.submit`; `map` goes through it.

        Raises:
            NoTenant: nothing is in scope.
        """
        return super().submit(self._propagation.bound(fn), *args, **kwargs)


class _Stream(Iterator[R]):
    def __init__(self, scope: Scope, tenant: Tenant, items: Iterator[R]) -> None:
        self._scope, self._tenant, self._items = scope, tenant, items

    def __next__(self) -> R:
        with self._scope.enter(self._tenant, allow_switch=True):
            return next(self._items)

    def close(self) -> None:
        """End the source early; WSGI servers call it when the client has gone."""
        if isinstance(self._items, Generator) or hasattr(self._items, "close"):
            with self._scope.enter(self._tenant, allow_switch=True):
                self._items.close()
