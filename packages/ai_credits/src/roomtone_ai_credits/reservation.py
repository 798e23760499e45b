"""Credits going out: promised by a hold, charged when it settles, given back when it is released or reversed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from .books import Books
from .entries import Book, Entry, EntryKind, Note, Posting
from .errors import InsufficientCredits, TooManyHolds
from .holds import Explanation, Hold, HoldState, Settlement
from .lots import Lot, LotKind, take
from .pricing import NANO_PER_MICRO


def reserve(books: Books, hold: Hold, *, open_holds_max: int) -> Hold:
    """Promise `hold.amount` to a new hold, or again to one that was released or had expired.

    Raises: InsufficientCredits, TooManyHolds.
    """
    available = books.available_to(hold.model, hold.feature)
    if hold.amount > max(available, 0):
        raise InsufficientCredits(books.account, needed=hold.amount, available=available, next_grant_at=books.next_grant_at)
    if books.open_hold_count >= open_holds_max:
        raise TooManyHolds(books.account, open_holds_max)
    hold = replace(hold, state=HoldState.open, slices=take(books.lots_for(hold.model, hold.feature), hold.amount))
    books.promise(hold.slices)
    books.keep(hold)
    return hold


def grow(books: Books, hold: Hold, amount: int, *, expires_at: datetime) -> Hold:
    """Let an open hold promise `amount` in all, and last until `expires_at`; it never shrinks.

    Raises: InsufficientCredits when the difference is not available, or the hold is no longer open.
    """
    if hold.state is HoldState.settled:
        return hold
    more = max(amount - hold.amount, 0) if hold.state is HoldState.open else amount
    available = books.available_to(hold.model, hold.feature)
    if hold.state is not HoldState.open or more > max(available, 0):
        raise InsufficientCredits(books.account, needed=more, available=available, next_grant_at=books.next_grant_at)
    parts = take(books.lots_for(hold.model, hold.feature), more)
    books.promise(parts)
    slices = {number: hold.slices.get(number, 0) + parts.get(number, 0) for number in (*hold.slices, *parts)}
    grown = replace(hold, amount=hold.amount + more, slices=slices, expires_at=max(hold.expires_at, expires_at))
    books.keep(grown)
    return grown


def explain(books: Books, hold: Hold, *, open_holds_max: int) -> Explanation:
    """Tell what `reserve` would do, and change nothing."""
    before, refusal = books.mark(), None
    lots = {lot.number: lot for lot in books.live_lots()}
    try:
        slices = reserve(books, hold, open_holds_max=open_holds_max).slices
    except (InsufficientCredits, TooManyHolds) as reason:
        slices, refusal = {}, reason
    books.undo(before)
    available = books.available_to(hold.model, hold.feature)
    parts = tuple((lots[number], part) for number, part in slices.items())
    return Explanation(cost=hold.amount, available=available, parts=parts, refusal=refusal)


def settle(books: Books, hold: Hold, nano: int, note: Note) -> Settlement:
    """Charge `nano` nano-credits for a hold, whatever became of it; the first settlement is final.

    Paid from what the hold promises, then from other live lots, then as debt. The unused promise is free again.
    """
    if hold.state is HoldState.settled:
        assert hold.charged is not None
        return Settlement(hold_id=hold.id, charged=hold.charged, is_late=hold.is_late, replayed=True)
    is_late = hold.state is not HoldState.open
    cost = books.price(nano)
    parts = _promised(hold, cost)
    books.promise(hold.slices, -1)
    rest = cost - sum(parts.values())
    spare = [replace(lot, held=lot.held + parts.get(lot.number, 0)) for lot in books.lots_for(hold.model, hold.feature)]
    for number, part in take(spare, rest).items():
        parts[number] = parts.get(number, 0) + part
    debt = cost - sum(parts.values())
    sides = [Posting(book=Book.lot, lot=number, amount=-part) for number, part in parts.items()]
    books.post(
        EntryKind.charge,
        charge_key(hold.key),
        [*sides, Posting(book=Book.debt, amount=-debt), Posting(book=Book.consumed, amount=cost)],
        replace(note, priced_nano=nano),
    )
    books.keep(replace(hold, state=HoldState.settled, slices={}, charged=cost, is_late=is_late))
    books.tidy()
    return Settlement(hold_id=hold.id, charged=cost, debt=debt, is_late=is_late)


def charge(books: Books, nano: int, *, key: str, note: Note) -> Settlement:
    """Charge `nano` nano-credits at once. Raises: InsufficientCredits."""
    carried = books.carry_nano
    cost = books.price(nano)
    available = books.available_to(note.model, note.feature)
    if cost > max(available, 0):
        books.carry_nano = carried
        raise InsufficientCredits(books.account, needed=cost, available=available, next_grant_at=books.next_grant_at)
    parts = take(books.lots_for(note.model, note.feature), cost)
    sides = [Posting(book=Book.lot, lot=number, amount=-part) for number, part in parts.items()]
    books.post(EntryKind.charge, key, [*sides, Posting(book=Book.consumed, amount=cost)], replace(note, priced_nano=nano))
    return Settlement(charged=cost)


def release(books: Books, hold: Hold) -> Hold:
    """Give an open hold's promise back; one that is no longer open stays as it is."""
    if hold.state is HoldState.open:
        books.promise(hold.slices, -1)
        hold = replace(hold, state=HoldState.released, slices={})
        books.keep(hold)
        books.tidy()
    return hold


def reverse(books: Books, charge: Entry, *, key: str, note: Note) -> Entry:
    """Put a charge back into the very lots that paid it; credit of a lot that has died meanwhile expires at once.

    The part that had become debt lowers today's debt; if that was paid since, it comes back as a refund lot without expiry.
    """
    sides = [replace(posting, amount=-posting.amount) for posting in charge.postings if posting.book is not Book.debt]
    indebted = -sum(posting.amount for posting in charge.postings if posting.book is Book.debt)
    forgiven = min(indebted, books.debt)
    sides.append(Posting(book=Book.debt, amount=forgiven))
    if indebted > forgiven:
        number = books.open_lot(Lot(kind=LotKind.refund, granted=indebted - forgiven, granted_at=books.now))
        sides.append(Posting(book=Book.lot, lot=number, amount=indebted - forgiven))
    entry = books.post(EntryKind.reversal, key, sides, note)
    books.tidy()
    return entry


def estimated(hold: Hold) -> int:
    """What to charge for a hold when nobody reported the usage, in nano-credits."""
    has_grown = hold.amount > hold.rate.cost(hold.estimate)
    return hold.amount * NANO_PER_MICRO if has_grown else hold.rate.nano(hold.estimate)


def charge_key(key: str) -> str:
    """The key under which the charge of the hold with `key` is booked."""
    return f"charge:{key}"


def _promised(hold: Hold, cost: int) -> dict[int, int]:
    parts: dict[int, int] = {}
    for number, promised in hold.slices.items():
        if part := min(promised, cost):
            parts[number] = part
            cost -= part
    return parts
