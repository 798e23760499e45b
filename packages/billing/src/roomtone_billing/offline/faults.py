"""Faults on demand: what a network and a busy service do to a caller, exactly when a test wants it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["rate_limit", "server_error", "timeout"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: `rate_limit` answers 429 and does nothing. `server_error` answers 500 and `timeout` answers nothing at all, both after the
            request has had its effect; as at Stripe, the idempotency key then gives the stored 500, or after a time-out the real answer.
        operation: a pattern for `post /v1/customers`; None is whatever comes.
    """

    kind: Kind
    operation: str | None = None

    def strikes(self, method: str, path: str) -> bool:
        """Is this the request to spoil?"""
        return self.operation is None or re.fullmatch(self.operation, f"{method} {path}") is not None


class Faults:
    """The faults that are still to come, first set first struck; and a limit of requests per second of the virtual clock."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._second = 0
        self._count = 0
        self.requests_per_s: int | None = None

    def add(self, fault: Fault, *, times: int = 1) -> None:
        """Let a fault strike the next requests that it is for."""
        self._waiting += [fault] * times

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that strikes this request and forget it; None when all is well."""
        for place, each in enumerate(self._waiting):
            if each.strikes(method, path):
                return self._waiting.pop(place)
        return None

    def is_too_fast(self, second: int) -> bool:
        """Count a request at a second; is it one too many?"""
        self._count = self._count + 1 if second == self._second else 1
        self._second = second
        return self.requests_per_s is not None and self._count > self.requests_per_s
