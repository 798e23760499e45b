"""Upkeep: what an operator does and watches, made by `Billing.upkeep`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from . import backfill, backlog, doctor, invariants, reconcile, reconcile_sellers, replay, sync
from .backfill import Backfill
from .backlog import Backlog
from .doctor import Finding
from .gateway import Gateway
from .invariants import Violation
from .pace import Pace
from .reconcile import Drift, Reconciliation
from .reconcile_sellers import SellerReconciliation
from .transactions import Clock, writing

CALLS_PER_S = 10.0


class Upkeep:
    """The state of things and their repair; holds no state of its own.

    Long runs go page by page, note where they stand, ask Stripe at most `calls_per_s` times a second, and stop at `pages_max`: the next
    run goes on there, also when this one was killed.
    """

    def __init__(self, *, engine: Engine, gateway: Gateway, rules: sync.Rules, clock: Clock, drift: Callable[[], Sequence[object]]) -> None:
        self._engine, self._gateway, self._rules, self._clock, self._drift = engine, gateway, rules, clock, drift

    def replay_between(self, since: datetime, until: datetime, *, limit: int = 10_000) -> int:
        """Take up the events received from `since` to before `until`, oldest first, at most `limit`; returns how many."""
        with writing(self._engine) as session:
            return replay.between(session, since=since, until=until, limit=limit)

    def replay_failed(self, *, limit: int = 10_000) -> int:
        """Take up the events that were put aside after too many failures, at most `limit`; returns how many."""
        with writing(self._engine) as session:
            return replay.dead(session, limit=limit)

    def backfill(self, *, since: datetime | None = None, pages_max: int = 100, calls_per_s: float = CALLS_PER_S) -> Backfill:
        """Store the events that Stripe has and that never came, a hundred a call, connected accounts' too; `work` then does the rest.

        Args:
            since: compare again from there; default go on after the last event compared, the first time thirty days back.
        Raises:
            GatewayError: Stripe could not be asked; what was compared stays.
        """
        return backfill.run(self._engine, self._gateway, now=self._clock(), since=since, pages_max=pages_max, pace=Pace(calls_per_s))

    def reconcile(self, *, pages_max: int = 1000, calls_per_s: float = CALLS_PER_S) -> Reconciliation:
        """Compare every account with Stripe's list of subscriptions, a hundred a call, and repair those that are not as at Stripe.

        Raises:
            GatewayError: the list could not be had; what was repaired stays.
        Effects:
            Nothing is written about accounts that are as at Stripe.
        """
        return reconcile.run(self._engine, self._gateway, rules=self._rules, now=self._clock(), pages_max=pages_max, pace=Pace(calls_per_s))

    def reconcile_sellers(self, *, pages_max: int = 1000, calls_per_s: float = CALLS_PER_S) -> SellerReconciliation:
        """The same for connected accounts and their clients' payments; without such accounts nothing is asked.

        Raises:
            GatewayError: a list could not be had; what was repaired stays.
        """
        pace = Pace(calls_per_s)
        return reconcile_sellers.run(
            self._engine, self._gateway, retry=self._rules.retry, now=self._clock(), pages_max=pages_max, pace=pace
        )

    def drifts(self, limit: int = 50) -> list[Drift]:
        """What reconciliations found and repaired, newest first."""
        with Session(self._engine) as session:
            return reconcile.newest(session, limit=limit)

    def forget(self, *, keep: timedelta = timedelta(days=90), limit: int = 10_000) -> int:
        """Delete events of Stripe that were dealt with and received longer ago than `keep`, at most `limit`; returns how many.

        Raises:
            ValueError: `keep` is less than 31 days: Stripe can send an event again for thirty, and it would be new.
        """
        if keep < replay.KEEP_MIN:
            raise ValueError(f"events are kept for {replay.KEEP_MIN.days} days at least; {keep} was asked for")
        with writing(self._engine) as session:
            return replay.forget(session, before=self._clock() - keep, limit=limit)

    def backlog(self) -> Backlog:
        """How much waits, and for how long."""
        with Session(self._engine) as session:
            return backlog.measure(session, now=self._clock())

    def violations(self, limit: int = 100) -> list[Violation]:
        """The rows for which an invariant does not hold, at most `limit` for each; empty when all is well. Reads every account."""
        with Session(self._engine) as session:
            return invariants.violations(invariants.Scene(session=session, rules=self._rules, now=self._clock(), limit=limit))

    def examine(self, *, url: str | None = None) -> list[Finding]:
        """What the doctor finds; asks Stripe some times, changes nothing.

        Args:
            url: the address of the webhook route, to tell the endpoint from others of the same Stripe account.
        """
        return doctor.examine(doctor.Patient(engine=self._engine, gateway=self._gateway, now=self._clock(), drift=self._drift, url=url))
