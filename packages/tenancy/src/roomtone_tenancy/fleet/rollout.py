"""How a run goes over the fleet: its waves, its limits, and when it stops. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """How to go over the fleet.

    Args:
        canary: tenants of the first wave, >= 0; one failure among them stops the run.
        batch: tenants of each later wave, which begins when the one before has ended; None makes one wave of all.
        parallel: tenants that one runner works on at once, >= 1.
        per_server: tenants of one server that all runners together work on at once, >= 1; None is no limit.
        stop_after: failed tenants after which nothing more is begun, >= 1; None goes on to the end.
        attempts: tries for each tenant, >= 1. Only what may pass by itself is tried again: a lock or the server not to be had.
        back_off_s: the pause before the second try, twice as long before each further one, at most `BACK_OFF_MAX_S`.
        lock_timeout_ms: how long a statement waits for a lock, so that it does not hold up the tenant's own queries behind it.
        statement_timeout_ms: how long a statement may take; 0 is no limit. Both are PostgreSQL's; SQLite waits `lock_timeout_ms` too.
        replay: send recorded statements where a check proves that they are the same for every tenant; see `tape`.
    """

    canary: int = 1
    batch: int | None = None
    parallel: int = 4
    per_server: int | None = None
    stop_after: int | None = None
    attempts: int = 3
    back_off_s: float = 1.0
    lock_timeout_ms: int = 3_000
    statement_timeout_ms: int = 0
    replay: bool = True

    def __post_init__(self) -> None:
        counts = (self.batch, self.parallel, self.per_server, self.stop_after, self.attempts)
        if any(count is not None and count < 1 for count in counts):
            raise ValueError("A Rollout needs a batch, parallel, per_server, stop_after and attempts of 1 or more.")
        if min(self.canary, self.back_off_s, self.statement_timeout_ms) < 0 or self.lock_timeout_ms < 1:
            raise ValueError("A Rollout needs a canary, back_off_s and statement_timeout_ms of 0 or more, and a lock_timeout_ms of 1.")

    def wave_of(self, position: int) -> int:
        """The wave of the tenant at this position (from 0) of the run; the canary is wave 0."""
        if position < self.canary:
            return 0
        return 1 + ((position - self.canary) // self.batch if self.batch is not None else 0)

    def pause_s(self, attempts: int) -> float:
        """How long to wait after so many attempts, >= 1."""
        return min(self.back_off_s * float(2 ** min(attempts - 1, 30)), BACK_OFF_MAX_S)

    def to_json(self) -> dict[str, Any]:  # what JSON holds
        """For the catalog."""
        return asdict(self)


BACK_OFF_MAX_S = 300.0


class ItemState(StrEnum):
    """Where one tenant of a run is. Quarantined: it failed, and this run leaves it alone. Skipped: nothing was to be done."""

    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"

    @property
    def is_over(self) -> bool:
        """Whether this run will not touch it any more."""
        return self not in (ItemState.WAITING, ItemState.LEASED)


class RunState(StrEnum):
    """Running until all its tenants are over; stopped ones can be resumed."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveCount:
    """How many tenants of one wave are in a state."""

    wave: int
    state: ItemState
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What to do next: work on a wave, or end the run.

    Args:
        wave: the one to take tenants from; None when the run has ended.
        ends_as: the state that the run ends in; None while it goes on.
        reason: why it stopped.
    """

    wave: int | None = None
    ends_as: RunState | None = None
    reason: str | None = None


def judge(rollout: Rollout, counts: Sequence[WaveCount]) -> Verdict:
    """What a run of these counts may do next."""
    failed = sum(each.count for each in counts if each.state is ItemState.QUARANTINED)
    if any(each.wave == 0 and each.count and each.state is ItemState.QUARANTINED for each in counts) and rollout.canary:
        return Verdict(ends_as=RunState.STOPPED, reason="a tenant of the canary failed")
    if rollout.stop_after is not None and failed >= rollout.stop_after:
        return Verdict(ends_as=RunState.STOPPED, reason=f"{failed} tenants failed, and stop_after is {rollout.stop_after}")
    waves = [each.wave for each in counts if each.count and not each.state.is_over]
    return Verdict(wave=min(waves)) if waves else Verdict(ends_as=RunState.DONE)
