"""Credits coming in: grants, adjustments, and monthly allowances being set and ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .books import Books
from .entries import Book, Entry, EntryKind, Note, Posting
from .errors import InsufficientCredits
from .lots import Lot, LotKind, take
from .periods import Allowance


@dataclass(frozen=True, kw_only=True, slots=True)
class Clawback:
    """What a clawback took. Amounts are micro-credits."""

    account: str
    key: str
    taken: int
    """What was left of the grant."""
    debt: int
    """What had been used of it and is owed now."""
    replayed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """The answer to a grant, an adjustment or a reversal. `amount` is its effect on the balance, in micro-credits."""

    account: str
    key: str
    amount: int
    at: datetime
    replayed: bool
    """It had been booked before; nothing changed now."""


def grant(books: Books, lot: Lot, *, key: str, note: Note) -> Entry:
    """Add a lot. A debt is paid from it first, if it pays for any use."""
    entry = books.issue(replace(lot, granted_at=books.now), key=key, note=note)
    books.tidy()
    return entry


def adjust(books: Books, *, amount: int, key: str, note: Note) -> Entry:
    """Correct the account by hand: a positive amount adds a lot, a negative one takes free credit in burn order.

    Raises: InsufficientCredits when less is available than a negative amount takes.
    """
    if amount > 0:
        number = books.open_lot(Lot(kind=LotKind.adjustment, granted=amount, granted_at=books.now))
        sides = [Posting(book=Book.lot, lot=number, amount=amount)]
    elif -amount > books.available:
        raise InsufficientCredits(books.account, needed=-amount, available=books.available, next_grant_at=books.next_grant_at)
    else:
        sides = [Posting(book=Book.lot, lot=number, amount=-part) for number, part in take(books.lots_for(None, None), -amount).items()]
    entry = books.post(EntryKind.adjustment, key, [*sides, Posting(book=Book.adjusted, amount=-amount)], note)
    books.tidy()
    return entry


def claw_back(books: Books, grant: Entry, *, most: int | None, is_owed: bool, key: str, note: Note) -> Entry:
    """Take back what is left of a grant, or `most` of it; with `is_owed` what was used of that becomes debt.

    What open holds promise of it stays promised, and where all is taken back it dies when it is given back. Nothing is owed for a grant
    that has expired.
    """
    number = next(posting.lot for posting in grant.postings if posting.lot is not None)
    lot = books.lots[number]
    taken = lot.free if most is None else min(lot.free, most)
    used = lot.granted - lot.remaining if is_owed and not lot.is_dead(books.now) else 0
    used = used if most is None else min(used, most - taken)
    sides = [Posting(book=Book.lot, lot=number, amount=-taken), Posting(book=Book.debt, amount=-used)]
    entry = books.post(EntryKind.clawback, key, [*sides, Posting(book=Book.issued, amount=taken + used)], note)
    if most is None:
        books.lots[number] = replace(books.lots[number], expires_at=min(lot.expires_at or books.now, books.now))
    books.tidy()
    return entry


def transfer_out(books: Books, amount: int, *, key: str, note: Note) -> Entry:
    """Take available credit out for another account, in burn order. Raises: InsufficientCredits."""
    if amount > books.available:
        raise InsufficientCredits(books.account, needed=amount, available=books.available, next_grant_at=books.next_grant_at)
    parts = take(books.lots_for(None, None), amount)
    sides = [Posting(book=Book.lot, lot=number, amount=-part) for number, part in parts.items()]
    return books.post(EntryKind.transfer, key, [*sides, Posting(book=Book.transferred, amount=amount)], note)


def transfer_in(books: Books, parts: Sequence[Lot], *, key: str, note: Note) -> Entry:
    """Put in what another account gave: lots that keep their end, their order and their cost."""
    sides = [Posting(book=Book.lot, lot=books.open_lot(replace(lot, granted_at=books.now)), amount=lot.granted) for lot in parts]
    amount = sum(lot.granted for lot in parts)
    entry = books.post(EntryKind.transfer, key, [*sides, Posting(book=Book.transferred, amount=-amount)], note)
    books.tidy()
    return entry


def transferred(books: Books, entry: Entry) -> list[Lot]:
    """What an entry took out of lots, as lots for another account."""
    parts = [(books.lots[posting.lot], -posting.amount) for posting in entry.postings if posting.lot is not None]
    return [
        replace(lot, number=0, granted=part, remaining=0, held=0, cost_minor=(cost := lot.cost_minor * part // lot.granted),
                currency=lot.currency if cost else None, rule=None, period=None, kind=_FREED.get(lot.kind, lot.kind))
        for lot, part in parts
    ]  # fmt: skip


def set_allowance(books: Books, wanted: Allowance, *, key: str, note: Note) -> None:
    """Give `wanted.amount` from now on. Another anchor under the same rule ends, and its unused credit with it.

    Within one period the most that was given counts: setting less takes nothing back, setting more grants the difference.
    An anchor that is the start of the running period of the old one continues that period, and a later end lengthens it.
    """
    period = -1 if wanted.is_over(books.now) else wanted.period_at(books.now)
    given = _take_over(books, wanted, period)
    begun = replace(wanted, next_period=period + 1, granted=max(given, wanted.amount) if period >= 0 else 0)
    known = next((index for index, allowance in enumerate(books.allowances) if _is_same(allowance, wanted)), None)
    if known is None:
        books.allowances.append(begun)
    else:
        books.allowances[known] = begun
    books.post(EntryKind.allowance, key, [], note)
    if period >= 0 and wanted.amount > given:
        books.issue_month(wanted, wanted.amount - given, f"month-of-{key}", period, note)
    books.tidy()


def end_allowance(books: Books, rule: str, *, key: str, note: Note) -> None:
    """Grant nothing more under `rule`, and let its unused credit expire now. What a hold promises stays until it settles."""
    for index, allowance in enumerate(books.allowances):
        if allowance.is_active and allowance.rule == rule:
            _end(books, index)
    books.post(EntryKind.allowance, key, [], note)
    books.tidy()


def _take_over(books: Books, wanted: Allowance, period: int) -> int:
    """Stop the rule's allowances, and return what they have given in the very period that `wanted` is in."""
    given = 0
    for index, other in enumerate(books.allowances):
        if other.rule != wanted.rule:
            continue
        if period >= 0 and other.next_period > 0 and other.starts_at(other.next_period - 1) == wanted.starts_at(period):
            given = max(given, other.granted)
            books.allowances[index] = replace(other, is_active=False, granted=0)
            if other.is_active:
                _move_end(books, wanted.rule, wanted.expires_at(period))
        elif other.is_active and not _is_same(other, wanted):
            _end(books, index)
    return given


def _is_same(one: Allowance, other: Allowance) -> bool:
    return (one.rule, one.anchor_at, one.timezone) == (other.rule, other.anchor_at, other.timezone)


def _end(books: Books, index: int) -> None:
    """Stop one allowance. What is taken back unused may be granted again if it is set again in the same period."""
    ended = books.allowances[index]
    unused = sum(lot.free for lot in books.live_lots() if lot.rule == ended.rule and lot.kind is LotKind.allowance)
    _move_end(books, ended.rule, books.now, kinds=(LotKind.allowance, LotKind.rollover))
    books.allowances[index] = replace(ended, is_active=False, granted=max(0, ended.granted - unused))
    books.tidy()


def _move_end(books: Books, rule: str, ends_at: datetime, *, kinds: tuple[LotKind, ...] = (LotKind.allowance,)) -> None:
    for lot in books.live_lots():
        if lot.rule == rule and lot.kind in kinds:
            books.lots[lot.number] = replace(lot, expires_at=ends_at)


# Credit of a month that was handed on belongs to no rule of its new account.
_FREED = {LotKind.allowance: LotKind.promotion, LotKind.rollover: LotKind.promotion}
