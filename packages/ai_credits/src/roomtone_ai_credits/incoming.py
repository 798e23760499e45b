"""Credits coming in: grants, months, corrections, transfers, and what is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from . import amount as amounts
from . import grants, inputs, noticing
from .acts import Act
from .asking import Asking, once, rule_once
from .books import Books
from .digest import digest
from .entries import Entry, Note
from .errors import BadInput, UnknownGrant, UnknownOrder
from .grants import Clawback, Grant
from .lots import PRIORITY, Lot, LotKind
from .periods import Allowance


class Incoming(Asking):
    """The verbs that give credits, and take given ones back."""

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
        inputs.cost(cost_minor, currency)
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
        return once(account, "grant", key, note, lambda books, entry_key: grants.grant(books, lot, key=entry_key, note=note))

    def adjust(self, account: str, *, amount: int, key: str, reason: str, actor: str) -> Act[Grant]:
        """Correct an account by hand, once per key. A negative amount takes available credit only.

        Raises: InsufficientCredits when less is available, BadAmount, IdempotencyConflict.
        """
        amounts.signed(amount)
        note = Note(digest=digest("adjust", amount), reason=reason, actor=actor)
        return once(account, "adjust", key, note, lambda books, entry_key: grants.adjust(books, amount=amount, key=entry_key, note=note))

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
        rollover_max: int = 0,
        rollover_percent: int = 100,
        rollover_months: int = 1,
    ) -> Act[None]:
        """Give `amount` >= 0 each month from `anchor_at` on, each month's credit dying with its month.

        Months are counted from the anchor on the wall clock of `timezone`; the 31st is the last day of shorter months. Months that had
        ended before this call are not made up for. Within a month, less takes nothing back and more grants the difference. Another
        anchor (or zone) under the same `rule` ends the old allowance and lets its unused credit expire. At `ends_at`, such as the end of
        what is paid, the credit dies and no more comes; setting the allowance again with a later end goes on from there.

        Of what a month leaves unused, `rollover_percent` goes over at its end and lives for `rollover_months` more; no more than
        `rollover_max` micro-credits of earlier months are alive at once. Nothing goes over where the allowance ends.

        Raises: BadAmount, BadInput, IdempotencyConflict.
        """
        if amount != 0:
            amounts.positive(amount)
        anchor_at = inputs.instant("anchor_at", anchor_at)
        ends_at = inputs.instant("ends_at", ends_at) if ends_at else None
        if ends_at and ends_at <= anchor_at:
            raise BadInput("ends_at", ends_at, f"after anchor_at, {anchor_at.isoformat()}")
        zone = inputs.zone(timezone)
        wanted = Allowance(
            rule=inputs.key(rule, "rule", 100),
            amount=amount,
            anchor_at=anchor_at,
            timezone=zone,
            ends_at=ends_at,
            rollover_max=inputs.whole("rollover_max", rollover_max, amounts.LARGEST),
            rollover_percent=inputs.whole("rollover_percent", rollover_percent, 100),
            rollover_months=inputs.whole("rollover_months", rollover_months, 120, least=1),
        )
        rolls = (rollover_max, rollover_percent, rollover_months) if rollover_max else ()
        fingerprint = digest("set_allowance", rule, amount, anchor_at.isoformat(), timezone, ends_at.isoformat() if ends_at else "", *rolls)
        note = Note(digest=fingerprint, reason=f"{rule}: {amounts.show(amount)} a month")
        return rule_once(account, "allowance", key, note, lambda books, at: grants.set_allowance(books, wanted, key=at, note=note))

    def end_allowance(self, account: str, *, key: str, rule: str = "plan") -> Act[None]:
        """Grant nothing more under `rule` and let its unused credit expire; without such an allowance nothing changes.

        Raises: BadInput, IdempotencyConflict.
        """
        note = Note(digest=digest("end_allowance", rule), reason=f"{rule}: ended")
        return rule_once(account, "allowance", key, note, lambda books, at: grants.end_allowance(books, rule, key=at, note=note))

    def claw_back(
        self,
        account: str,
        *,
        key: str,
        reason: str,
        actor: str,
        is_owed: bool = False,
        amount: int | None = None,
        part: str | None = None,
    ) -> Act[Clawback]:
        """Take back what is left of the grant with `key`, once, as for a payment that was refunded or disputed.

        What was used of it is kept by the customer, or with `is_owed` becomes debt. What open holds promise of it stays promised until
        they settle; what they give back is gone. No other grant is touched.

        Args:
            amount: no more than so many micro-credits, for a part of the payment; the rest of the grant stays.
            part: names the part, such as the refund: each is taken back once. Needed with `amount`.

        Raises: UnknownGrant, BadAmount, BadInput, IdempotencyConflict.
        """
        granted, entry_key = f"grant:{inputs.key(key)}", f"clawback:{key}"
        if (amount is None) != (part is None):
            raise BadInput("part", part, "given with amount, and only then")
        if amount is not None and part is not None:
            amounts.positive(amount)
            entry_key += f":{inputs.key(part, 'part', 180)}"
        fingerprint = digest("claw_back", key, is_owed, *(() if amount is None else (amount, part)))
        note = Note(digest=fingerprint, reason=reason, actor=actor)

        def plan(books: Books) -> Clawback:
            grant = books.past.get(granted)
            if grant is None:
                raise UnknownGrant(account, key)
            booked = books.replayed(entry_key, note.digest)
            entry = booked or grants.claw_back(books, grant, most=amount, is_owed=is_owed, key=entry_key, note=note)
            taken = -sum(side.amount for side in entry.postings if side.lot is not None)
            return Clawback(account=account, key=key, taken=taken, debt=-entry.amount - taken, replayed=booked is not None)

        return Act(plan=plan, account=inputs.key(account, "account"), entry_keys=(granted, entry_key))

    def transfer_out(self, account: str, *, amount: int, key: str, reason: str, actor: str) -> Act[Sequence[Lot]]:
        """Take available credit out for another account, once per key; returns what `transfer_in` puts there.

        Raises: InsufficientCredits, BadAmount, IdempotencyConflict.
        """
        amounts.positive(amount)
        entry_key = f"transfer-out:{inputs.key(key)}"
        note = Note(digest=digest("transfer_out", amount, reason), reason=reason, actor=actor)

        def plan(books: Books) -> Sequence[Lot]:
            booked = books.replayed(entry_key, note.digest)
            return grants.transferred(books, booked or grants.transfer_out(books, amount, key=entry_key, note=note))

        return Act(plan=plan, account=inputs.key(account, "account"), entry_keys=(entry_key,))

    def transfer_in(self, account: str, parts: Sequence[Lot], *, key: str, reason: str, actor: str) -> Act[Grant]:
        """Put in what `transfer_out` took, once per key, in the same transaction.

        Raises: IdempotencyConflict.
        """
        amount = sum(lot.granted for lot in parts)
        note = Note(digest=digest("transfer_in", amount), reason=reason, actor=actor)
        return once(account, "transfer-in", key, note, lambda books, at: grants.transfer_in(books, parts, key=at, note=note))

    def pay_top_up(self, account: str, *, intent: str, cost_minor: int = 0, currency: str | None = None) -> Act[Grant]:
        """Grant a pack for an order that was paid, once per `intent`, also when it was thought to have failed.

        Raises: UnknownOrder, BadInput, IdempotencyConflict.
        """
        inputs.cost(cost_minor, currency)
        note = Note(digest=digest("pay_top_up", intent), reason=intent)

        def book(books: Books, entry_key: str) -> Entry:
            order = books.top_up
            if order is None or not order.was_ordered(intent):
                raise UnknownOrder(account, intent)
            books.top_up = noticing.paid(books, order) if order.pending == intent else order
            lot = Lot(
                kind=LotKind.pack,
                granted=order.amount,
                granted_at=books.now,
                priority=PRIORITY[LotKind.pack],
                cost_minor=cost_minor,
                currency=currency,
            )
            return grants.grant(books, lot, key=entry_key, note=note)

        return once(account, "grant", intent, note, book)
