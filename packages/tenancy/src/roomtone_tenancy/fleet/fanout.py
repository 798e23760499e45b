"""Calls a function for many tenants, some at once, and gives its answers as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ..errors import TenantCallFailed
from ..tenant import Tenant

T = TypeVar("T")
OnError = Literal["go on", "stop"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome(Generic[T]):
    """What the function gave for one tenant: a value, or the error that it raised."""

    tenant: Tenant
    value: T | None
    error: Exception | None
    seconds: float


class FanOut(Generic[T]):
    """The outcomes, an iterator to be gone through once; `left` then says for whom it is still to be done.

    Args:
        call: does one tenant's work, in a thread of its own.
        concurrency: how many at once, >= 1. No more are begun than the consumer takes outcomes of.
        deadline_s: seconds after which nothing more is begun; what runs is waited for.
    """

    def __init__(
        self, tenants: Sequence[Tenant], call: Callable[[Tenant], T], *, concurrency: int, deadline_s: float | None, on_error: OnError
    ) -> None:
        if concurrency < 1:
            raise ValueError("map() needs a concurrency of 1 or more.")
        self._tenants, self._call, self._concurrency = tenants, call, concurrency
        self._deadline_s, self._on_error = deadline_s, on_error
        self._left = {tenant.key: None for tenant in tenants}
        self._outcomes = self._go()

    def __iter__(self) -> Iterator[Outcome[T]]:
        return self._outcomes

    @property
    def left(self) -> tuple[str, ...]:
        """Keys of tenants without a value: failed, not begun, or not taken by the consumer yet. `only=` takes them to resume."""
        return tuple(self._left)

    def close(self) -> None:
        """Begin nothing more; what runs is waited for."""
        self._outcomes.close()  # type: ignore[attr-defined]  # a generator, shown as an iterator

    def _go(self) -> Iterator[Outcome[T]]:
        deadline = None if self._deadline_s is None else time.monotonic() + self._deadline_s
        waiting, running = iter(self._tenants), set[Future[Outcome[T]]]()
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="map") as threads:
            while True:
                while len(running) < self._concurrency and (deadline is None or time.monotonic() < deadline):
                    tenant = next(waiting, None)
                    if tenant is None:
                        break
                    running.add(threads.submit(self._one, tenant))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    if outcome.error is None:
                        del self._left[outcome.tenant.key]
                    elif self._on_error == "stop":
                        raise TenantCallFailed(outcome.tenant.key) from outcome.error
                    yield outcome

    def _one(self, tenant: Tenant) -> Outcome[T]:
        began = time.monotonic()
        try:
            value = self._call(tenant)
        except Exception as error:  # noqa: BLE001 -- told as this tenant's outcome
            return Outcome(tenant=tenant, value=None, error=error, seconds=time.monotonic() - began)
        return Outcome(tenant=tenant, value=value, error=None, seconds=time.monotonic() - began)
