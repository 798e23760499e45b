"""The facade: everything a host does with credits."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from . import amount as amounts
from . import grants, inputs, ledger, reading, reservation, sweep, verification
from .entries import Note
from .errors import BadInput, IdempotencyConflict
from .holds import Hold, HoldState, Settlement
from .lots import PRIORITY, Lot, LotKind
from .meter import Meter
from .periods import Allowance
from .pricing import RateCard
from .reading import Balance, EntryView, Grant
from .usage import Usage
from .verification import Verification


def utc_now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


class AiCredits:
    """Credits of opaque accounts in one database, shared by any number of processes.

    Amounts are micro-credits (`CREDIT` of them are one credit). Calls that take a `session` write in the caller's transaction and never
    commit; calls that do not, commit transactions of their own. Every call that changes something may be repeated with the same key:
    the first answer stands. A key used for something else raises IdempotencyConflict.

    Args:
        engine: PostgreSQL or SQLite, with `schema.upgrade` run.
        rate_card: the prices of new holds; a hold keeps the price it was made at.
        clock: returns the aware present.
        hold_ttl_s: seconds after which a hold nobody settled or released stops promising credit.
        open_holds_max: most holds one account may have open at once.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        rate_card: RateCard,
        clock: Callable[[], datetime] = utc_now,
        hold_ttl_s: int = 600,
        open_holds_max: int = 256,
    ) -> None:
        self.rate_card = rate_card
        self._engine, self._clock = engine, clock
        self._hold_ttl_s, self._open_holds_max = inputs.ttl(hold_ttl_s), open_holds_max

    # ── Credits in ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(
        self,
        session: Session,
        account: str,
        *,
        amount: int,
        key: str,
        kind: str = "promotion",
        effective_at: datetime | None = None,
        expires_at: datetime | None = None,
        priority: int | None = None,
        cost_minor: int = 0,
        currency: str | None = None,
        models: Sequence[str] = (),
        features: Sequence[str] = (),
        reason: str | None = None,
        actor: str | None = None,
    ) -> Grant:
        """Give `amount` > 0 once per key, to be spent from `effective_at` (default: at once) until `expires_at` (default: used up).

        Args:
            kind: "promotion" or "pack".
            priority: lower is burnt sooner; 10 for promotions and 30 for packs when None.
            cost_minor: what the customer paid for it, in minor units of `currency`.
            models: patterns of the models it may pay for, all when empty. What is restricted pays no debt.
            features: the features it may pay for, all when empty.

        Raises: BadAmount, BadInput, IdempotencyConflict.
        Effects: locks the account until the session's transaction ends.
        """
        amounts.positive(amount)
        if kind not in (LotKind.promotion, LotKind.pack):
            raise BadInput("kind", kind, "'promotion' or 'pack'")
        if cost_minor:
            amounts.positive(cost_minor, "cost_minor")
        if (currency is None) == bool(cost_minor):
            raise BadInput("currency", currency, "given with cost_minor, and only then")
        lot = Lot(
            kind=LotKind(kind),
            granted=amount,
            granted_at=self._clock(),
            effective_at=inputs.instant("effective_at", effective_at) if effective_at else None,
            expires_at=inputs.instant("expires_at", expires_at) if expires_at else None,
            priority=PRIORITY[LotKind(kind)] if priority is None else priority,
            cost_minor=cost_minor,
            currency=currency,
            models=tuple(models),
            features=tuple(features),
        )
        fingerprint = ledger.digest("grant", amount, kind)
        with self._opened(session.connection(), account) as page:
            booked = page.replayed(f"grant:{inputs.key(key)}", fingerprint)
            note = Note(digest=fingerprint, reason=reason, actor=actor)
            entry = booked or grants.grant(page.books, lot, key=f"grant:{key}", note=note)
        return Grant(account=account, key=key, amount=entry.amount, at=entry.at, replayed=booked is not None)

    def adjust(self, session: Session, account: str, *, amount: int, key: str, reason: str, actor: str) -> Grant:
        """Correct an account by hand, once per key. A negative amount takes available credit only.

        Raises: InsufficientCredits when less is available, BadAmount, IdempotencyConflict.
        Effects: locks the account until the session's transaction ends.
        """
        amounts.signed(amount)
        fingerprint = ledger.digest("adjust", amount)
        with self._opened(session.connection(), account) as page:
            booked = page.replayed(f"adjust:{inputs.key(key)}", fingerprint)
            note = Note(digest=fingerprint, reason=reason, actor=actor)
            entry = booked or grants.adjust(page.books, amount=amount, key=f"adjust:{key}", note=note)
        return Grant(account=account, key=key, amount=entry.amount, at=entry.at, replayed=booked is not None)

    def set_allowance(
        self,
        session: Session,
        account: str,
        *,
        amount: int,
        anchor_at: datetime,
        key: str,
        ends_at: datetime | None = None,
        rule: str = "plan",
        timezone: str = "UTC",
    ) -> None:
        """Give `amount` >= 0 each month from `anchor_at` on, each month's credit dying with its month.

        Months are counted from the anchor on the wall clock of `timezone`; the 31st is the last day of shorter months. Months that had
        ended before this call are not made up for. Within a month, less takes nothing back and more grants the difference. Another
        anchor (or zone) under the same `rule` ends the old allowance and lets its unused credit expire. At `ends_at`, such as the end of
        what is paid, the credit dies and no more comes; setting the allowance again with a later end goes on from there.

        Raises: BadAmount, BadInput, IdempotencyConflict.
        Effects: locks the account until the session's transaction ends.
        """
        if amount != 0:
            amounts.positive(amount)
        anchor_at = inputs.instant("anchor_at", anchor_at)
        ends_at = inputs.instant("ends_at", ends_at) if ends_at else None
        if ends_at and ends_at <= anchor_at:
            raise BadInput("ends_at", ends_at, f"after anchor_at, {anchor_at.isoformat()}")
        wanted = Allowance(
            rule=inputs.key(rule, "rule", 100), amount=amount, anchor_at=anchor_at, timezone=inputs.zone(timezone), ends_at=ends_at
        )
        fingerprint = ledger.digest("set_allowance", rule, amount, anchor_at.isoformat(), timezone, ends_at.isoformat() if ends_at else "")
        with self._opened(session.connection(), account) as page:
            if not page.replayed(f"allowance:{inputs.key(key)}", fingerprint):
                note = Note(digest=fingerprint, reason=f"{rule}: {amounts.show(amount)} a month")
                grants.set_allowance(page.books, wanted, key=f"allowance:{key}", note=note)

    def end_allowance(self, session: Session, account: str, *, key: str, rule: str = "plan") -> None:
        """Grant nothing more under `rule` and let its unused credit expire; without such an allowance nothing changes.

        Raises: BadInput, IdempotencyConflict.
        Effects: locks the account until the session's transaction ends.
        """
        fingerprint = ledger.digest("end_allowance", rule)
        with self._opened(session.connection(), account) as page:
            if not page.replayed(f"allowance:{inputs.key(key)}", fingerprint):
                grants.end_allowance(page.books, rule, key=f"allowance:{key}", note=Note(digest=fingerprint, reason=f"{rule}: ended"))

    # ── Credits out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def meter(self, account: str, *, model: str, estimate: Usage, key: str, user: str | None = None, feature: str | None = None) -> Meter:
        """Wrap a model call: hold before the block, settle in or after it. No transaction is open while the block runs.

        Leaving without `call.settle(usage)` charges the estimate; leaving by an exception releases the hold.

        Raises: InsufficientCredits, TooManyHolds, UnknownModel, IdempotencyConflict, all on entry and before the block runs.
        """
        return Meter(
            take=lambda: self.hold(account, model=model, estimate=estimate, key=key, user=user, feature=feature),
            settle=self.settle,
            release=self.release,
        )

    def hold(
        self,
        account: str,
        *,
        model: str,
        estimate: Usage,
        key: str,
        user: str | None = None,
        feature: str | None = None,
        ttl_s: int | None = None,
    ) -> Hold:
        """Promise what `estimate` costs. The same key returns the same hold; if that was released or had expired, it promises anew.

        Raises: InsufficientCredits, TooManyHolds, UnknownModel, IdempotencyConflict.
        Effects: commits a short transaction of its own.
        """
        rate = self.rate_card.rate(model)
        cost = rate.cost(estimate)
        fingerprint = ledger.digest("hold", model, sorted(estimate.used().items()), user, feature)
        with self._engine.begin() as connection, self._opened(connection, account) as page:
            now = page.books.now
            expires_at = now + timedelta(seconds=self._hold_ttl_s if ttl_s is None else inputs.ttl(ttl_s))
            known = page.hold(key=inputs.key(key))
            if known is not None and known.digest != fingerprint:
                raise IdempotencyConflict(account, key)
            if known is not None and known.state in (HoldState.open, HoldState.settled):
                return known
            draft = Hold(
                id=known.id if known else uuid.uuid4().hex,
                account=account,
                key=key,
                digest=fingerprint,
                amount=cost,
                held_at=now,
                expires_at=expires_at,
                rate=rate,
                card_version=self.rate_card.version,
                estimate=estimate,
                model=model,
                user=user,
                feature=feature,
            )
            return reservation.reserve(page.books, draft, open_holds_max=self._open_holds_max)

    def settle(self, hold_id: str, usage: Usage) -> Settlement:
        """Charge what was used, at the price of the hold. Never refused for money: late, above the hold and after a release as well.

        What no lot can pay becomes debt, which the next credits pay. The first settlement is final; a repetition returns it.

        Raises: UnknownHold.
        Effects: commits a short transaction of its own.
        """
        with self._held(hold_id) as (page, hold):
            note = Note(
                hold_id=hold.id,
                model=hold.model,
                feature=hold.feature,
                user=hold.user,
                card_version=hold.card_version,
                usage=usage.used(),
            )
            return reservation.settle(page.books, hold, hold.rate.nano(usage), note)

    def release(self, hold_id: str) -> Hold:
        """Give back what a hold promises, for work that was not done. A hold that is not open stays as it is; nothing is refused.

        Raises: UnknownHold.
        Effects: commits a short transaction of its own.
        """
        with self._held(hold_id) as (page, hold):
            return reservation.release(page.books, hold)

    def reverse(self, session: Session, account: str, *, key: str, reason: str, actor: str) -> Grant:
        """Undo the charge of the hold with `key`, once: its credits return to the very lots that paid it.

        Credit of a lot that has expired meanwhile expires at once.

        Raises: UnknownCharge.
        Effects: locks the account until the session's transaction ends.
        """
        fingerprint = ledger.digest("reverse", key)
        with self._opened(session.connection(), account) as page:
            booked = page.replayed(f"reversal:{inputs.key(key)}", fingerprint)
            note = Note(digest=fingerprint, reason=reason, actor=actor)
            entry = booked or reservation.reverse(page.books, page.charge(key), key=f"reversal:{key}", note=note)
        return Grant(account=account, key=key, amount=entry.amount, at=entry.at, replayed=booked is not None)

    # ── Reading and keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def balance(self, account: str, session: Session | None = None) -> Balance:
        """Tell what an account has now. One query, unless time has made something due: then that is booked first."""
        now = self._clock()
        with self._reading(session) as connection:
            balance = reading.balance(connection, account, now)
        if balance is not None:
            return balance
        with self._writing(session) as connection:
            with ledger.opened(connection, account, now):
                pass  # opening the books brings them up to date
            balance = reading.balance(connection, account, now)
        assert balance is not None, "books just brought up to date have nothing due"
        return balance

    def entries(self, account: str, limit: int = 50, session: Session | None = None) -> list[EntryView]:
        """Return what moved the balance, newest first; at most `limit`."""
        with self._reading(session) as connection:
            return reading.entries(connection, account, limit)

    def sweep(self) -> int:
        """Book what is due on up to 1000 accounts and return how many there were. Correctness does not need it; reports do."""
        return sweep.sweep(self._engine, self._clock())

    def verify(self, account: str | None = None) -> Verification:
        """Prove the books of one account, or of all. Raises: LedgerMismatch."""
        return verification.verify(self._engine, account)

    @contextmanager
    def _opened(self, connection: Connection, account: str) -> Iterator[ledger.Page]:
        with ledger.opened(connection, inputs.key(account, "account"), self._clock()) as page:
            yield page

    @contextmanager
    def _held(self, hold_id: str) -> Iterator[tuple[ledger.Page, Hold]]:
        with self._engine.begin() as connection, ledger.opened_at_hold(connection, hold_id, self._clock()) as opened:
            yield opened

    @contextmanager
    def _writing(self, session: Session | None) -> Iterator[Connection]:
        if session is not None:
            yield session.connection()
            return
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self, session: Session | None) -> Iterator[Connection]:
        if session is not None:
            yield session.connection()
            return
        # One statement is one snapshot already: a transaction around it would only add two round trips.
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
