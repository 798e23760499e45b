"""What one account may use, and its use: `billing.account("a").entitlements`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from . import entitlement, facts, overrides, use
from .access import Access, decide
from .counting_period import period_at
from .decision import Decision, Source
from .desk import Desk
from .entitlement import Facts, Override
from .use import Hold

HOLD_LASTS = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """One feature as a page draws it: `used` of `limit` (None without limit) from `since` to before `until`; `held` of `used` runs now."""

    feature: str
    used: int
    held: int
    limit: int | None
    remaining: int | None
    source: Source
    since: datetime
    until: datetime


class Entitlements:
    """The entitlements of one account; made by `Account.entitlements`, holds no state of its own.

    Decisions follow from what is stored here, never from a call to Stripe. They are read in one query and kept for
    `Billing(entitlements_ttl=...)`: what this process writes counts at once, what another writes after that time at the latest.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def check(self, feature: str, amount: int = 1) -> Decision:
        """Whether `amount` more of the feature may be used now, and why. Counts nothing; an unknown account has no plan.

        Raises:
            UnknownFeature: no plan of the catalogue names it.
            EntitlementsUnavailable: the database cannot be asked, and nothing is remembered that is young enough: treat it as a refusal.
        """
        now = self._desk.clock()
        kept = facts.remembered(self._desk.engine, self._desk.facts, self._desk.account, now=now)
        said = kept.decision(feature, amount, now)
        if said is None:
            said = self._decide(kept.facts, feature, amount, now)
            kept.keep(said, now)
        return said

    def option(self, choice: str) -> str:
        """Which option of a choice of the catalogue the account has; as fresh as `check`. Whoever may not write has the least.

        Raises:
            UnknownFeature: the catalogue declares no such choice.
            EntitlementsUnavailable: as `check`.
        """
        now, rules = self._desk.clock(), self._desk.rules
        known = facts.remembered(self._desk.engine, self._desk.facts, self._desk.account, now=now).facts
        return entitlement.option_of(choice, access=self._access(known, now), catalogue=rules.catalogue)

    def consume(self, feature: str, units: int = 1, *, key: str) -> Decision:
        """Count a use in this period, once for its key, and refuse what does not fit.

        Args:
            units: how many, >= 1.
            key: what is used, in the host's words, at most 200 characters; the same key counts once within 90 days.
        Returns:
            The decision it was allowed by; `used` and `remaining` are as before it.
        Raises:
            NotEntitled: it does not fit; nothing was counted, and the same key may be tried again.
            KeyReused: the key stands for another feature or number of units.
            UnknownFeature, UnknownAccount: as `check`, and there must be an account to count for.
        Effects:
            Locks the account's row, so of many at once each sees what those before it used.
        """
        desk = self._desk
        try:
            return use.consume(desk.engine, desk.account, feature, units, key=key, decide=self._decide, now=desk.clock())
        finally:
            desk.facts.forget(desk.account)

    @contextmanager
    def hold(self, feature: str, units: int = 1, *, key: str, lasting: timedelta = HOLD_LASTS) -> Iterator[Hold]:
        """Hold units of a feature while the block runs: what many may not do at the same time.

        Args:
            key: who holds; a second holder under the same key shares the hold, and the first to finish gives it back.
            lasting: after so long the units are free again even if the process died; longer than the block runs.
        Raises:
            NotEntitled, KeyReused, UnknownFeature, UnknownAccount: as `consume`.
        """
        desk = self._desk
        try:
            held = use.take(desk.engine, desk.account, feature, units, key=key, lasting=lasting, decide=self._decide, now=desk.clock())
        finally:
            desk.facts.forget(desk.account)
        try:
            yield held
        finally:
            use.give_back(desk.engine, desk.account, key)
            desk.facts.forget(desk.account)

    def usage(self) -> list[Usage]:
        """Every feature of the catalogue with what is used of it, by name; as fresh as `check`."""
        now = self._desk.clock()
        known = facts.remembered(self._desk.engine, self._desk.facts, self._desk.account, now=now).facts
        period = period_at(known.trial, known.snapshot, now)
        found = []
        for feature in entitlement.features(self._desk.rules.catalogue):
            said, held = self._decide(known, feature, 1, now), entitlement.units_held(known, feature, now)
            found.append(
                Usage(
                    feature=feature,
                    used=said.used,
                    held=held,
                    limit=said.limit,
                    remaining=said.remaining,
                    source=said.source,
                    since=period.start,
                    until=period.end,
                )
            )
        return found

    def override(
        self, feature: str, units: int | None, *, reason: str, actor: str, until: datetime | None = None, key: str | None = None
    ) -> Override:
        """Make an exception: from now on so many units in each period instead of what the plan includes. The newest counts.

        Args:
            units: >= 0; 0 takes the feature away, None lifts the limit.
            reason, actor: why and who, for the record; customers do not see them.
            until: when it ends by itself; None when somebody has to revoke it.
            key: the same key makes it once; default a new one.
        Raises:
            UnknownFeature, UnknownAccount, KeyReused: nothing was written.
        """
        return self._add(Source.override, feature, units, reason=reason, actor=actor, until=until, key=key)

    def credit(
        self, feature: str, units: int, *, reason: str, actor: str, until: datetime | None = None, key: str | None = None
    ) -> Override:
        """Grant units on top, once: used after everything the plan includes, in whatever period, and gone when used.

        Args, Raises: as `override`; units >= 1.
        """
        if units < 1:
            raise ValueError(f"a credit of {units} grants nothing; grant 1 or more")
        return self._add(Source.credit, feature, units, reason=reason, actor=actor, until=until, key=key)

    def revoke(self, override: int, *, actor: str) -> Override:
        """Take an exception or what is left of a credit back; doing it again changes nothing.

        Raises:
            UnknownOverride: this account has none of that id.
        """
        try:
            return overrides.revoke(self._desk.engine, self._desk.account, override, actor=actor, now=self._desk.clock())
        finally:
            self._desk.facts.forget(self._desk.account)

    def overrides(self) -> list[Override]:
        """Every exception and credit ever made for this account, with who and why, newest first."""
        return overrides.listed(self._desk.engine, self._desk.account)

    def _add(
        self, source: Source, feature: str, units: int | None, *, reason: str, actor: str, until: datetime | None, key: str | None
    ) -> Override:
        entitlement.require_feature(self._desk.rules.catalogue, feature)
        if units is not None and units < 0:
            raise ValueError(f"{units} units of {feature!r} are less than none")
        now = self._desk.clock()
        wanted = Override(id=0, feature=feature, source=source, units=units, reason=reason, actor=actor, created_at=now, until=until)
        try:
            return overrides.add(self._desk.engine, self._desk.account, wanted, key=key or uuid.uuid4().hex)
        finally:
            self._desk.facts.forget(self._desk.account)

    def _decide(self, known: Facts, feature: str, amount: int, now: datetime) -> Decision:
        return entitlement.decide_on(known, feature, amount, access=self._access(known, now), catalogue=self._desk.rules.catalogue, now=now)

    def _access(self, known: Facts, now: datetime) -> Access:
        rules = self._desk.rules
        return decide(
            known.account,
            trial=known.trial,
            snapshot=known.snapshot,
            catalogue=rules.catalogue,
            policy=rules.grace,
            now=now,
            suspension=known.suspension,
        )
