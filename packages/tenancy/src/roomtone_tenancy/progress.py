"""How far an operation on a tenant is, for a page that polls."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StepState(StrEnum):
    """Where one step is; a failed one runs again with the next attempt."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepProgress:
    """One step; `seconds` is None until it has ended once."""

    name: str
    state: StepState
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The latest operation on a tenant.

    Args:
        error: why its last attempt failed; None while it has not.
        owner: the process that works on it now, `host/namespace/pid/start`; None when none does.
    """

    operation: str
    steps: tuple[StepProgress, ...]
    error: str | None
    attempts: int
    is_done: bool
    owner: str | None = None
