"""The verbs: everything that changes an account, as acts. `AiCredits` commits them, `Within` leaves that to a host's session."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from . import amount as amounts
from . import grants, inputs, reservation
from .acts import Act
from .books import Books
from .digest import digest
from .entries import Entry, Note
from .errors import BadInput, IdempotencyConflict, UnknownCharge, UnknownHold
from .grants import Grant
from .holds import Explanation, Hold, HoldState, Settlement
from .lots import PRIORITY, Lot, LotKind
from .periods import Allowance
from .pricing import RateCard
from .reservation import charge_key
from .usage import Usage


class Verbs:
    """What can be asked of an account. Every verb checks its arguments and returns an act to be carried out.

    Amounts are micro-credits. Every verb may be repeated with the same key: the first answer stands. A key used for something else
    raises IdempotencyConflict. See `AiCredits` for the arguments.
    """

    def __init__(self, *, rate_card: RateCard, clock: Callable[[], datetime], hold_ttl_s: int, open_holds_max: int) -> None:
        self.rate_card = rate_card
        self._clock, self._hold_ttl_s, self._open_holds_max = clock, inputs.ttl(hold_ttl_s), open_holds_max

    # ── Credits in ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(
        self,
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
    ) -> Act[Grant]:
        """Give `amount` > 0 once per key, to be spent from `effective_at` (default: at once) until `expires_at` (default: used up).

        Args:
            kind: "promotion" or "pack".
            priority: lower is burnt sooner; 10 for promotions and 30 for packs when None.
            cost_minor: what the customer paid for it, in minor units of `currency`.
            models: patterns of the models it may pay for, all when empty. What is restricted pays no debt.
            features: the features it may pay for, all when empty.

        Raises: BadAmount, BadInput, IdempotencyConflict.
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
        note = Note(digest=digest("grant", amount, kind), reason=reason, actor=actor)
        return _once(account, "grant", key, note, lambda books, entry_key: grants.grant(books, lot, key=entry_key, note=note))

    def adjust(self, account: str, *, amount: int, key: str, reason: str, actor: str) -> Act[Grant]:
        """Correct an account by hand, once per key. A negative amount takes available credit only.

        Raises: InsufficientCredits when less is available, BadAmount, IdempotencyConflict.
        """
        amounts.signed(amount)
        note = Note(digest=digest("adjust", amount), reason=reason, actor=actor)
        return _once(account, "adjust", key, note, lambda books, entry_key: grants.adjust(books, amount=amount, key=entry_key, note=note))

    def set_allowance(
        self,
        account: str,
        *,
        amount: int,
        anchor_at: datetime,
        key: str,
        ends_at: datetime | None = None,
        rule: str = "plan",
        timezone: str = "UTC",
    ) -> Act[None]:
        """Give `amount` >= 0 each month from `anchor_at` on, each month's credit dying with its month.

        Months are counted from the anchor on the wall clock of `timezone`; the 31st is the last day of shorter months. Months that had
        ended before this call are not made up for. Within a month, less takes nothing back and more grants the difference. Another
        anchor (or zone) under the same `rule` ends the old allowance and lets its unused credit expire. At `ends_at`, such as the end of
        what is paid, the credit dies and no more comes; setting the allowance again with a later end goes on from there.

        Raises: BadAmount, BadInput, IdempotencyConflict.
        """
        if amount != 0:
            amounts.positive(amount)
        anchor_at = inputs.instant("anchor_at", anchor_at)
        ends_at = inputs.instant("ends_at", ends_at) if ends_at else None
        if ends_at and ends_at <= anchor_at:
            raise BadInput("ends_at", ends_at, f"after anchor_at, {anchor_at.isoformat()}")
        zone = inputs.zone(timezone)
        wanted = Allowance(rule=inputs.key(rule, "rule", 100), amount=amount, anchor_at=anchor_at, timezone=zone, ends_at=ends_at)
        fingerprint = digest("set_allowance", rule, amount, anchor_at.isoformat(), timezone, ends_at.isoformat() if ends_at else "")
        note = Note(digest=fingerprint, reason=f"{rule}: {amounts.show(amount)} a month")
        return _rule_once(account, key, note, lambda books, entry_key: grants.set_allowance(books, wanted, key=entry_key, note=note))

    def end_allowance(self, account: str, *, key: str, rule: str = "plan") -> Act[None]:
        """Grant nothing more under `rule` and let its unused credit expire; without such an allowance nothing changes.

        Raises: BadInput, IdempotencyConflict.
        """
        note = Note(digest=digest("end_allowance", rule), reason=f"{rule}: ended")
        return _rule_once(account, key, note, lambda books, entry_key: grants.end_allowance(books, rule, key=entry_key, note=note))

    def reverse(self, account: str, *, key: str, reason: str, actor: str) -> Act[Grant]:
        """Undo the charge with `key`, once: its credits return to the very lots that paid it.

        Credit of a lot that has expired meanwhile expires at once.

        Raises: UnknownCharge.
        """
        note = Note(digest=digest("reverse", key), reason=reason, actor=actor)

        def plan(books: Books, entry_key: str) -> Entry:
            charge = books.past.get(charge_key(key))
            if charge is None:
                raise UnknownCharge(account, key)
            return reservation.reverse(books, charge, key=entry_key, note=note)

        return _once(account, "reversal", key, note, plan, sees=(charge_key(key),))

    # ── Credits out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

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
    ) -> Act[Hold]:
        """Promise what `estimate` costs. The same key returns the same hold; if that was released or had expired, it promises anew.

        Raises: InsufficientCredits, TooManyHolds, UnknownModel, IdempotencyConflict.
        """
        draft = self._draft(account, model=model, estimate=estimate, key=key, user=user, feature=feature)
        lasts = timedelta(seconds=self._hold_ttl_s if ttl_s is None else inputs.ttl(ttl_s))
        entry_key = charge_key(key)

        def plan(books: Books) -> Hold:
            known = books.hold_of(key)
            if (known.digest != draft.digest) if known else (entry_key in books.past):
                raise IdempotencyConflict(account, key)
            if known is not None and known.state in (HoldState.open, HoldState.settled):
                return known
            new = replace(draft, id=known.id if known else draft.id, held_at=books.now, expires_at=books.now + lasts)
            return reservation.reserve(books, new, open_holds_max=self._open_holds_max)

        return Act(plan=plan, account=draft.account, hold_keys=(key,), entry_keys=(entry_key,))

    def explain(
        self, account: str, *, model: str, estimate: Usage, user: str | None = None, feature: str | None = None
    ) -> Act[Explanation]:
        """Tell whether a hold would be granted, from which lots, and why not; nothing is held.

        Raises: UnknownModel.
        """
        draft = self._draft(account, model=model, estimate=estimate, key="explain", user=user, feature=feature)
        return Act(plan=lambda books: reservation.explain(books, draft, open_holds_max=self._open_holds_max), account=draft.account)

    def grow(self, hold_id: str, amount: int) -> Act[Hold]:
        """Let an open hold promise `amount` in all and last anew, as a stream goes on. It never shrinks, so repeating it changes nothing.

        Raises: InsufficientCredits when the difference is not available or the hold is no longer open, BadAmount, UnknownHold.
        """
        amounts.positive(amount)

        def plan(books: Books) -> Hold:
            lasts = timedelta(seconds=self._hold_ttl_s)
            return reservation.grow(books, _held(books, hold_id), amount, expires_at=books.now + lasts)

        return Act(plan=plan, hold_ids=(hold_id,))

    def settle(self, hold_id: str, usage: Usage | None) -> Act[Settlement]:
        """Charge what was used, at the price of the hold. Never refused for money: late, above the hold and after a release as well.

        Usage that nobody reported is None, which is not usage of 0: the estimate is charged, or what the hold had grown to.

        What no lot can pay becomes debt, which the next credits pay. The first settlement is final; a repetition returns it.

        Raises: UnknownHold.
        """

        def plan(books: Books) -> Settlement:
            hold = _held(books, hold_id)
            note = Note(
                hold_id=hold.id,
                model=hold.model,
                feature=hold.feature,
                user=hold.user,
                card_version=hold.card_version,
                usage=usage.used() if usage else None,
                reason=None if usage else "no usage was reported: charged as estimated",
            )
            nano = hold.rate.nano(usage) if usage else reservation.estimated(hold)
            return replace(reservation.settle(books, hold, nano, note), is_estimated=usage is None)

        return Act(plan=plan, hold_ids=(hold_id,))

    def release(self, hold_id: str) -> Act[Hold]:
        """Give back what a hold promises, for work that was not done. A hold that is not open stays as it is; nothing is refused.

        Raises: UnknownHold.
        """
        return Act(plan=lambda books: reservation.release(books, _held(books, hold_id)), hold_ids=(hold_id,))

    def charge(
        self, account: str, *, model: str, usage: Usage, key: str, user: str | None = None, feature: str | None = None
    ) -> Act[Settlement]:
        """Take what `usage` costs at once, for work whose price is known before it is done, such as an image. Once per key.

        Raises: InsufficientCredits when less is available, UnknownModel, IdempotencyConflict.
        """
        rate = self.rate_card.rate(model)
        note = Note(
            digest=digest("charge", model, sorted(usage.used().items()), user, feature),
            model=model,
            feature=feature,
            user=user,
            card_version=self.rate_card.version,
            usage=usage.used(),
        )
        entry_key = charge_key(inputs.key(key))

        def plan(books: Books) -> Settlement:
            if (booked := books.replayed(entry_key, note.digest)) is not None:
                return Settlement(charged=-booked.amount, replayed=True)
            if books.hold_of(key) is not None:
                raise IdempotencyConflict(account, key)
            return reservation.charge(books, rate.nano(usage), key=entry_key, note=note)

        return Act(plan=plan, account=inputs.key(account, "account"), hold_keys=(key,), entry_keys=(entry_key,))

    def _draft(self, account: str, *, model: str, estimate: Usage, key: str, user: str | None, feature: str | None) -> Hold:
        """A hold as it would be made now; its times are set when it is planned."""
        rate = self.rate_card.rate(model)
        return Hold(
            id=uuid.uuid4().hex,
            account=inputs.key(account, "account"),
            key=inputs.key(key),
            digest=digest("hold", model, sorted(estimate.used().items()), user, feature),
            amount=rate.cost(estimate),
            held_at=self._clock(),
            expires_at=self._clock(),
            rate=rate,
            card_version=self.rate_card.version,
            estimate=estimate,
            model=model,
            user=user,
            feature=feature,
        )


def _once(
    account: str, prefix: str, key: str, note: Note, book: Callable[[Books, str], Entry], *, sees: tuple[str, ...] = ()
) -> Act[Grant]:
    """An act that books one entry, once per key."""
    entry_key = f"{prefix}:{inputs.key(key)}"

    def plan(books: Books) -> Grant:
        booked = books.replayed(entry_key, note.digest)
        entry = booked or book(books, entry_key)
        return Grant(account=account, key=key, amount=entry.amount, at=entry.at, replayed=booked is not None)

    return Act(plan=plan, account=inputs.key(account, "account"), entry_keys=(entry_key, *sees))


def _rule_once(account: str, key: str, note: Note, book: Callable[[Books, str], None]) -> Act[None]:
    """An act that sets or ends an allowance, once per key."""
    entry_key = f"allowance:{inputs.key(key)}"

    def plan(books: Books) -> None:
        if books.replayed(entry_key, note.digest) is None:
            book(books, entry_key)

    return Act(plan=plan, account=inputs.key(account, "account"), entry_keys=(entry_key,))


def _held(books: Books, hold_id: str) -> Hold:
    hold = books.holds.get(hold_id)
    if hold is None:
        raise UnknownHold(hold_id)
    return hold
