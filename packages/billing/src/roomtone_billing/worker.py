"""The worker: a loop around `Billing.work`, `sweep` and the upkeep that belongs to it. Any number may run; any may be killed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from sqlalchemy.exc import SQLAlchemyError

from .billing import Billing
from .errors import GatewayError

log = logging.getLogger("roomtone_billing")


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """How often a worker does what.

    Args:
        idle_s: seconds to wait when nothing was to be done; doubles while that goes on, and after failures.
        idle_s_max: the longest wait, so the longest delay of an event that comes into silence.
        sweep, backfill, forget: how often each is done; None leaves it to somebody else.
        limit: steps of a kind in one round, so the longest that a stop can take.
    """

    idle_s: float = 0.5
    idle_s_max: float = 10.0
    sweep: timedelta | None = timedelta(minutes=5)
    backfill: timedelta | None = timedelta(hours=1)
    forget: timedelta | None = timedelta(days=1)
    limit: int = 100


class Worker:
    """Works until it is told to stop, which it notices between two rounds.

    Args:
        wait: waits so many seconds and says whether to stop; default an `Event` of its own.
    """

    def __init__(self, billing: Billing, *, rhythm: Rhythm | None = None, wait: Callable[[float], bool] | None = None) -> None:
        self._billing, self._rhythm = billing, rhythm or Rhythm()
        self._stopping = Event()
        self._wait = wait or self._stopping.wait
        self._done_at: dict[str, datetime] = {}

    def stop(self) -> None:
        """Let `run` return after the round that is under way; safe in a signal handler and from another thread."""
        self._stopping.set()

    def run(self, *, rounds_max: int | None = None) -> int:
        """Work; returns how many steps were done.

        Args:
            rounds_max: stop after so many rounds; default never.
        """
        done = rounds = 0
        pause_s = self._rhythm.idle_s
        while not self._stopping.is_set() and (rounds_max is None or rounds < rounds_max):
            rounds += 1
            steps = self._round()
            done += steps
            pause_s = self._rhythm.idle_s if steps else min(pause_s * 2, self._rhythm.idle_s_max)
            if not steps and self._wait(pause_s):
                break
        return done

    def _round(self) -> int:
        try:
            self._now_and_then()
            return self._billing.work(self._rhythm.limit)
        except SQLAlchemyError:
            log.exception("the database failed; the worker tries again")
            return 0

    def _now_and_then(self) -> None:
        upkeep = self._billing.upkeep
        for name, every, task in (
            ("sweep", self._rhythm.sweep, self._billing.sweep),
            ("backfill", self._rhythm.backfill, upkeep.backfill),
            ("forget", self._rhythm.forget, upkeep.forget),
        ):
            now = self._billing.clock()
            if every is None or (name in self._done_at and now < self._done_at[name] + every):
                continue
            self._done_at[name] = now
            try:
                task()
            except GatewayError as error:
                log.warning("%s could not ask Stripe and is tried again in %s: %s", name, every, error)
