"""The books of one account in memory: postings move credits, and time is caught up in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .copies import changed
from .entries import Book, Entry, EntryKind, Note, Posting
from .errors import IdempotencyConflict
from .holds import Hold, HoldState
from .limits import Limit, Tally
from .lots import PRIORITY, Lot, LotKind, take
from .marks import Mark
from .notices import Alert, Event, EventKind, TopUp
from .periods import Allowance
from .pricing import NANO_PER_MICRO


@dataclass(kw_only=True, slots=True)
class Books:
    """One account between load and save: the only place where its credits are counted.

    After every verb and `tidy`, no dead lot has free credit, and there is debt only while no live lot that pays for any use has.
    """

    account: str
    id: int | None = None
    """The number of the account's row; None before anything was booked."""
    now: datetime
    seq: int = 0
    lot_count: int = 0
    debt: int = 0
    carry_nano: int = 0
    """What charges have cost beyond whole micro-credits: 0 to 999 nano-credits, part of the next charge."""
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    allowances: list[Allowance] = field(default_factory=list)
    limits: dict[tuple[str, str], Limit] = field(default_factory=dict)
    """By name and subject, as far as loaded."""
    limit_count: int = 0
    """How many limits the account has, also those not loaded."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By key, as far as loaded."""
    alerts: tuple[Alert, ...] = ()
    top_up: TopUp | None = None
    events: list[Event] = field(default_factory=list)
    """What is to be told of what was booked since they were loaded."""
    event_count: int = 0
    entries: list[Entry] = field(default_factory=list)
    """What was booked since they were loaded."""
    past: dict[str, Entry] = field(default_factory=dict)
    """Entries by their key, as far as loaded or booked since."""
    other_holds: int = 0
    """How many open holds there are beside those in `holds`."""
    other_holds_end_at: datetime | None = None
    """When the first of those ends."""
    hold_ids: dict[str, str] = field(default_factory=dict)
    """The ids of the holds in `holds`, by key."""
    open_count: int = 0
    """How many of them promise credit."""

    @property
    def balance(self) -> int:
        """All credit less debt, held credit included."""
        return sum([lot.remaining for lot in self.lots.values()]) - self.debt

    @property
    def held(self) -> int:
        """What open holds promise."""
        return sum([lot.held for lot in self.lots.values()])

    @property
    def available(self) -> int:
        """What any use may take; below zero by the debt."""
        return self.available_to(None, None)

    def available_to(self, model: str | None, feature: str | None) -> int:
        """What a use of `model` by `feature` may take; below zero by the debt."""
        return sum([lot.free for lot in self.lots_for(model, feature)]) - self.debt

    @property
    def open_holds(self) -> list[Hold]:
        """The holds that promise credit, as far as loaded."""
        return [hold for hold in self.holds.values() if hold.state is HoldState.open]

    @property
    def open_hold_count(self) -> int:
        """How many holds promise credit."""
        return self.other_holds + self.open_count

    @property
    def next_grant_at(self) -> datetime | None:
        """When the next monthly grant falls due."""
        return min(
            (at for allowance in self.allowances if allowance.is_active and allowance.amount and (at := allowance.next_at)), default=None
        )

    @property
    def next_change_at(self) -> datetime | None:
        """When time alone next changes something: a hold or a lot ends, or a month begins."""
        changes = [hold.expires_at for hold in self.open_holds]
        if self.other_holds_end_at:
            changes.append(self.other_holds_end_at)
        ends = (at for lot in self.lots.values() for at in (lot.effective_at, lot.expires_at))
        changes += [at for at in ends if at and at > self.now]
        changes += [at for allowance in self.allowances if allowance.is_active and (at := allowance.next_at)]
        return min(changes, default=None)

    def live_lots(self) -> list[Lot]:
        """Lots that have begun and have not expired, soonest burnt first."""
        live = [lot for lot in self.lots.values() if lot.is_live(self.now)]
        return sorted(live, key=Lot.burn_order) if len(live) > 1 else live

    def lots_for(self, model: str | None, feature: str | None) -> list[Lot]:
        """The live lots that pay for such a use, soonest burnt first; without model and feature, those that pay for any."""
        return [lot for lot in self.live_lots() if not lot.is_restricted or lot.pays(model, feature)]

    def price(self, nano: int) -> int:
        """Return the whole micro-credits of an exact price, and carry the rest to the next charge."""
        micro, self.carry_nano = divmod(self.carry_nano + nano, NANO_PER_MICRO)
        return micro

    def keep(self, hold: Hold) -> None:
        """Put a hold into the books, in the place of what it was before."""
        before = self.holds.get(hold.id)
        self.open_count += (hold.state is HoldState.open) - (before is not None and before.state is HoldState.open)
        self.holds[hold.id] = hold
        self.hold_ids[hold.key] = hold.id

    def give_back(self, hold: Hold, slices: Mapping[int, int]) -> None:
        """Let go of what a hold promises: to the open hold it was taken from, or else to everybody."""
        parent = self.holds.get(hold.parent_id) if hold.parent_id else None
        if parent is None or parent.state is not HoldState.open:
            self.promise(slices, -1)
            return
        self.keep(parent.with_slices(slices))
        self.count_held(parent.limits, sum(slices.values()))

    def count_held(self, tallies: Iterable[str], amount: int) -> None:
        """Count credit as held, or with a negative amount as no longer held."""
        for key in tallies:
            tally = self.tallies[key]
            self.tallies[key] = changed(tally, held=tally.held + amount)

    def tell(self, kind: EventKind, **data: Any) -> None:  # Any: each kind of event has facts of its own
        """Write down something the host is to be told."""
        self.event_count += 1
        self.events.append(Event(account=self.account, number=self.event_count, at=self.now, kind=kind, data=data))

    def hold_of(self, key: str) -> Hold | None:
        """Return the hold with `key`, whatever became of it; None when there is none among those loaded."""
        return self.holds.get(self.hold_ids.get(key, ""))

    def replayed(self, key: str, fingerprint: str) -> Entry | None:
        """Return the entry already booked under `key`, None when there is none. Raises: IdempotencyConflict."""
        entry = self.past.get(key)
        if entry is not None and entry.note.digest != fingerprint:
            raise IdempotencyConflict(self.account, key)
        return entry

    def mark(self) -> Mark:
        """Note the state to go back to with `undo`."""
        return Mark.of(self)

    def undo(self, mark: Mark) -> None:
        """Go back to a mark, which serves once: the books are made of it."""
        mark.restore(self)

    def post(self, kind: EntryKind, key: str, postings: Iterable[Posting], note: Note | None = None) -> Entry:
        """Move credits as `postings` say, and record it. They must sum to zero."""
        kept, total, amount = [], 0, 0
        for posting in postings:
            if not (part := posting.amount):
                continue
            kept.append(posting)
            total += part
            if posting.book is Book.lot:
                assert posting.lot is not None
                lot = self.lots[posting.lot]
                self.lots[posting.lot] = changed(lot, remaining=lot.remaining + part)
                amount += part
            elif posting.book is Book.debt:
                self.debt -= part
                amount += part
        assert total == 0, kept
        self.seq += 1
        entry = Entry(seq=self.seq, key=key, kind=kind, at=self.now, amount=amount, balance_after=self.balance,
                      postings=tuple(kept), note=note or Note())  # fmt: skip
        self.entries.append(entry)
        self.past[key] = entry
        return entry

    def issue(self, lot: Lot, *, key: str, note: Note | None = None) -> Entry:
        """Open a lot and fill it with new credits, as many as it grants."""
        number = self.open_lot(lot)
        sides = [Posting(book=Book.lot, lot=number, amount=lot.granted), Posting(book=Book.issued, amount=-lot.granted)]
        return self.post(EntryKind.grant, key, sides, note)

    def open_lot(self, lot: Lot) -> int:
        """Give a lot its number and return that; a posting fills it."""
        self.lot_count += 1
        self.lots[self.lot_count] = changed(lot, number=self.lot_count)
        return self.lot_count

    def promise(self, slices: Mapping[int, int], sign: int = 1) -> None:
        """Mark credit of lots as held (`sign` 1) or free again (-1)."""
        for number, amount in slices.items():
            lot = self.lots[number]
            self.lots[number] = changed(lot, held=lot.held + sign * amount)

    def mature(self, now: datetime) -> None:
        """Bring the account up to `now`: each hold, lot and month ends at its own instant, in order.

        The result does not depend on how often or how late this is called. Time never goes back.
        """
        # Every pass retires at least one hold, lot or month, so the loop ends.
        while (at := self.next_change_at) is not None and at <= now:
            self.now = max(self.now, at)
            self._end_holds()
            self._expire_lots()
            self._grant_months()
            self._repay()
        self.now = max(self.now, now)

    def tidy(self) -> None:
        """Restore the rules a verb may have bent: free credit of dead lots expires, free credit pays debt."""
        self._expire_lots()
        self._repay()

    def _end_holds(self) -> None:
        # Those that others were taken from come last, so that what is given back to them ends with them.
        for hold_id in [hold.id for hold in sorted(self.open_holds, key=lambda hold: hold.held_at, reverse=True)]:
            hold = self.holds[hold_id]
            if hold.expires_at <= self.now:
                self.count_held(hold.limits, -hold.amount)
                self.give_back(hold, hold.slices)
                self.keep(changed(hold, state=HoldState.expired, slices={}))

    def _expire_lots(self) -> None:
        dead = [lot for lot in self.lots.values() if lot.is_dead(self.now) and not (lot.is_done and not lot.remaining)]
        for number in [lot.number for lot in sorted(dead, key=Lot.burn_order)] if dead else ():
            lot = self.lots[number]
            if lot.free:
                rolled = self._roll(lot)
                kept = sum(side.amount for side in rolled)
                sides = [Posting(book=Book.lot, lot=number, amount=-lot.free), *rolled]
                sides.append(Posting(book=Book.expired, amount=lot.free - kept))
                self.post(EntryKind.expiry, f"expiry:{self.seq + 1}", sides)
            if not self.lots[number].remaining:
                self.lots[number] = changed(self.lots[number], is_done=True)

    def _roll(self, lot: Lot) -> list[Posting]:
        """Open a lot for what goes over of a month that has ended: that of its own rule alone, while the rule goes on."""
        going = (allowance for allowance in self.allowances if allowance.is_active and allowance.rule == lot.rule)
        allowance, ended = next(going, None), lot.expires_at
        if (
            lot.kind is not LotKind.allowance
            or allowance is None
            or ended is None
            or not allowance.rollover_max
            or allowance.is_over(ended)
        ):
            return []
        expires_at = allowance.expires_at(allowance.period_at(ended) + allowance.rollover_months - 1)
        alive = sum(other.remaining for other in self.live_lots() if other.kind is LotKind.rollover and other.rule == lot.rule)
        amount = allowance.rolls(lot.free, alive=alive) if expires_at > self.now else 0
        if not amount:
            return []
        rolled = replace(lot, kind=LotKind.rollover, granted=amount, remaining=0, held=0, granted_at=self.now, expires_at=expires_at)
        return [Posting(book=Book.lot, lot=self.open_lot(rolled), amount=amount)]

    def _grant_months(self) -> None:
        for index, due in enumerate(self.allowances):
            if due.is_active and (at := due.next_at) and at <= self.now:
                self.allowances[index] = replace(due, next_period=due.next_period + 1, granted=due.amount)
                if due.amount:
                    self.issue_month(
                        due, due.amount, f"month:{due.rule}:{due.anchor_at.isoformat()}:{due.timezone}:{due.next_period}", due.next_period
                    )

    def issue_month(self, allowance: Allowance, amount: int, key: str, period: int, note: Note | None = None) -> None:
        """Issue credits that die with `period` of the allowance."""
        kind, ends_at = LotKind.allowance, allowance.expires_at(period)
        lot = Lot(kind=kind, priority=PRIORITY[kind], granted=amount, granted_at=self.now, expires_at=ends_at, period=period)
        self.issue(replace(lot, rule=allowance.rule), key=key, note=note)

    def _repay(self) -> None:
        parts = take(self.lots_for(None, None), self.debt) if self.debt else {}
        if parts:
            sides = [Posting(book=Book.lot, lot=number, amount=-amount) for number, amount in parts.items()]
            self.post(EntryKind.repayment, f"repayment:{self.seq + 1}", [*sides, Posting(book=Book.debt, amount=sum(parts.values()))])
