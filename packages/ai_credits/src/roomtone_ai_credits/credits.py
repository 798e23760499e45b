"""The facade: everything a host does with credits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from . import reading, sweep, verification
from .acts import Act, Outcome
from .combiner import Combiner, outcomes_of
from .errors import BadInput
from .grants import Grant
from .holds import Hold, Overrun
from .ledger import Ledger
from .meter import Meter, OnFailure
from .notices import Event
from .pricing import RateCard
from .reading import Balance, EntryView, LimitUse
from .reports import Reports
from .usage import Usage
from .verbs import Verbs
from .verification import Verification

P = ParamSpec("P")
A = TypeVar("A")


def utc_now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


def _committed(verb: Callable[Concatenate[Verbs, P], Act[A]]) -> Callable[Concatenate[AiCredits, P], A]:
    """Make a verb of the facade that commits a short transaction of its own, shared with others of the account at the same time."""

    @functools.wraps(verb)
    def act(self: AiCredits, /, *args: P.args, **kwargs: P.kwargs) -> A:
        return self.carry_out(verb(self.verbs, *args, **kwargs))

    return act


def _in_session(verb: Callable[Concatenate[Verbs, P], Act[A]]) -> Callable[Concatenate[AiCredits, Session | None, P], A]:
    """Make a verb of the facade that writes in the session's transaction; with None instead of a session it commits one of its own."""

    @functools.wraps(verb)
    def act(self: AiCredits, session: Session | None, /, *args: P.args, **kwargs: P.kwargs) -> A:
        return self.carry_out(verb(self.verbs, *args, **kwargs), session)

    return act


class AiCredits:
    """Credits of opaque accounts in one database, shared by any number of processes.

    Amounts are micro-credits (`CREDIT` of them are one credit). Calls that take a `session` write in the caller's transaction and never
    commit; they lock the account until it ends. Calls that do not, commit transactions of their own. Every call that changes something
    may be repeated with the same key: the first answer stands. A key used for something else raises IdempotencyConflict.

    Args:
        engine: PostgreSQL or SQLite, with `schema.upgrade` run.
        rate_card: the prices of new holds; a hold keeps the price it was made at.
        clock: returns the aware present.
        hold_ttl_s: seconds after which a hold nobody settled or released stops promising credit.
        open_holds_max: most holds one account may have open at once.
        overrun: what becomes of the cost of work that no credit covers, unless `settle` says otherwise.
        overdraft_max: the most an account may owe under Overrun.overdraft.
        lock_timeout_s: most seconds to wait for an account that a transaction keeps locked, before LedgerBusy is raised.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        rate_card: RateCard,
        clock: Callable[[], datetime] = utc_now,
        hold_ttl_s: int = 600,
        open_holds_max: int = 256,
        overrun: Overrun = Overrun.debt,
        overdraft_max: int = 0,
        lock_timeout_s: int = 10,
    ) -> None:
        self.verbs = Verbs(
            rate_card=rate_card,
            clock=clock,
            hold_ttl_s=hold_ttl_s,
            open_holds_max=open_holds_max,
            overrun=overrun,
            overdraft_max=overdraft_max,
        )
        self.ledger = Ledger(engine, clock=clock, lock_timeout_s=lock_timeout_s)
        self._engine, self._clock = engine, clock
        self._combiner = Combiner(self.ledger.transact)

    @property
    def rate_card(self) -> RateCard:
        """The prices of new holds."""
        return self.verbs.rate_card

    @rate_card.setter
    def rate_card(self, card: RateCard) -> None:
        self.verbs.rate_card = card

    grant = _in_session(Verbs.grant)
    adjust = _in_session(Verbs.adjust)
    set_allowance = _in_session(Verbs.set_allowance)
    end_allowance = _in_session(Verbs.end_allowance)
    reverse = _in_session(Verbs.reverse)
    claw_back = _in_session(Verbs.claw_back)
    set_limit = _in_session(Verbs.set_limit)
    remove_limit = _in_session(Verbs.remove_limit)
    set_alerts = _in_session(Verbs.set_alerts)
    set_top_up = _in_session(Verbs.set_top_up)
    remove_top_up = _in_session(Verbs.remove_top_up)
    pay_top_up = _in_session(Verbs.pay_top_up)
    fail_top_up = _in_session(Verbs.fail_top_up)
    hold = _committed(Verbs.hold)
    settle = _committed(Verbs.settle)
    release = _committed(Verbs.release)
    charge = _committed(Verbs.charge)
    grow = _committed(Verbs.grow)
    explain = _committed(Verbs.explain)
    max_affordable = _committed(Verbs.max_affordable)

    def meter(
        self,
        account: str,
        *,
        model: str,
        estimate: Usage,
        key: str,
        user: str | None = None,
        feature: str | None = None,
        team: str | None = None,
        api_key: str | None = None,
        at_least: Usage | None = None,
        parent: str | None = None,
        on_failure: OnFailure = OnFailure.release,
        on_cancel: OnFailure = OnFailure.prompt,
    ) -> Meter:
        """Wrap a model call: hold before the block, settle in or after it. No transaction is open while the block runs.

        Leaving without `call.settle(usage)` charges what `call.observe` was told, or else the estimate; leaving by an exception charges
        as `on_failure` says, or by a cancellation (see `meter.CANCELLED`) as `on_cancel` does. The other arguments are those of `hold`.

        Raises: InsufficientCredits, LimitReached, TooManyHolds, UnknownModel, UnknownHold, IdempotencyConflict, all on entry and before
            the block runs.
        """
        return Meter(
            take=lambda: self.hold(
                account,
                model=model,
                estimate=estimate,
                key=key,
                user=user,
                feature=feature,
                team=team,
                api_key=api_key,
                at_least=at_least,
                parent=parent,
            ),
            settle=self.settle,
            release=self.release,
            grow=self.grow,
            on_failure=on_failure,
            on_cancel=on_cancel,
        )

    def transfer(self, session: Session | None, source: str, target: str, *, amount: int, key: str, reason: str, actor: str) -> Grant:
        """Move available credit to another account, once per key. It keeps its end, its order and its cost there.

        Effects: locks both accounts, in the order of their names.
        Raises: InsufficientCredits, BadAmount, BadInput when both are one, IdempotencyConflict.
        """
        if source == target:
            raise BadInput("target", target, "another account than the source")
        if session is None:
            with Session(self._engine) as own, own.begin():
                return self.transfer(own, source, target, amount=amount, key=key, reason=reason, actor=actor)
        self.carry_out(Act(plan=lambda _books: None, account=min(source, target)), session)
        parts = self.carry_out(self.verbs.transfer_out(source, amount=amount, key=key, reason=reason, actor=actor), session)
        return self.carry_out(self.verbs.transfer_in(target, parts, key=key, reason=reason, actor=actor), session)

    def within(self, session: Session) -> Within:
        """Hold, settle, release and charge in the caller's transaction: all of it or nothing is done, and the account waits meanwhile."""
        return Within(self, session)

    def carry_out(self, act: Act[A], session: Session | None = None) -> A:
        """Carry out an act of `verbs`: in the session's transaction, or in one of its own."""
        account = act.account if act.account is not None else self.ledger.account_of(act.hold_ids[0])
        # Any: batches mix acts whose answers have many types.
        answer: Any
        answer = self._combiner.submit(account, act) if session is None else self.ledger.within(session.connection(), account, act)
        if isinstance(answer, Hold):
            self.ledger.remember(answer.id, account)
        return answer  # type: ignore[no-any-return]  # what the act's own plan returned

    # Any: batches mix acts whose answers have many types.
    def carry_out_all(self, account: str, acts: Sequence[Act[Any]]) -> Sequence[Outcome]:
        """Carry out acts of one account in as few transactions as can be, and tell what became of each."""
        return outcomes_of(self.ledger.transact, account, acts)

    # ── Reading and keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def balance(self, account: str, session: Session | None = None) -> Balance:
        """Tell what an account has now. One query, unless time has made something due: then that is booked first."""
        now = self._clock()
        with self._reading(session) as connection:
            balance = reading.balance(connection, account, now)
        if balance is not None:
            return balance
        self.carry_out(Act(plan=lambda _books: None, account=account), session)
        with self._reading(session) as connection:
            balance = reading.balance(connection, account, now)
        assert balance is not None, "books just brought up to date have nothing due"
        return balance

    def entries(self, account: str, limit: int = 50, session: Session | None = None) -> list[EntryView]:
        """Return what moved the balance, newest first; at most `limit`."""
        with self._reading(session) as connection:
            return reading.entries(connection, account, limit)

    def limits(self, account: str, session: Session | None = None) -> list[LimitUse]:
        """Return the limits of an account and what was used under each, by name and subject."""
        with self._reading(session) as connection:
            return reading.limits(connection, account, self._clock())

    def events(self, limit: int = 100, session: Session | None = None) -> list[Event]:
        """Return what the host has not been told yet, oldest first; at most `limit`. Call `acknowledge` when it is dealt with.

        An event that is not acknowledged is returned again: deal with each so that twice does no harm.
        """
        with self._reading(session) as connection:
            return reading.events(connection, limit)

    def acknowledge(self, session: Session | None, events: Sequence[Event]) -> None:
        """Note that events were dealt with: they are not returned again."""
        if session is not None:
            reading.acknowledge(session.connection(), events, self._clock())
            return
        with self._engine.begin() as connection:
            reading.acknowledge(connection, events, self._clock())

    @property
    def reports(self) -> Reports:
        """Where credits went, how long they last, what they earned."""
        return Reports(self._engine, clock=self._clock, balance=self.balance)

    def sweep(self) -> int:
        """Book what is due on up to 1000 accounts and return how many there were. Correctness does not need it; reports do."""
        return sweep.sweep(self.ledger, self._clock())

    def verify(self, account: str | None = None) -> Verification:
        """Prove the books of one account, or of all. Raises: LedgerMismatch."""
        return verification.verify(self._engine, account)

    @contextmanager
    def _reading(self, session: Session | None) -> Iterator[Connection]:
        if session is not None:
            yield session.connection()
            return
        # One statement is one snapshot already: a transaction around it would only add two round trips.
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection


def _within(verb: Callable[Concatenate[Verbs, P], Act[A]]) -> Callable[Concatenate[Within, P], A]:
    @functools.wraps(verb)
    def act(self: Within, /, *args: P.args, **kwargs: P.kwargs) -> A:
        return self.credits.carry_out(verb(self.credits.verbs, *args, **kwargs), self.session)

    return act


class Within:
    """The verbs of a model call in a host's own transaction."""

    def __init__(self, credits_: AiCredits, session: Session) -> None:
        self.credits, self.session = credits_, session

    hold = _within(Verbs.hold)
    settle = _within(Verbs.settle)
    release = _within(Verbs.release)
    charge = _within(Verbs.charge)
    grow = _within(Verbs.grow)
