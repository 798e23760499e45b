"""Credits going out: promised by a hold, charged when it settles, given back when it is released or reversed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from . import counting
from .books import Books
from .copies import changed
from .entries import Book, Entry, EntryKind, Note, Posting
from .errors import InsufficientCredits, TooManyHolds
from .holds import Explanation, Hold, HoldState, Overrun, Settlement
from .lots import Lot, LotKind, take
from .notices import EventKind
from .pricing import NANO_PER_MICRO


def reserve(books: Books, hold: Hold, hold_id: str, lasts: timedelta, *, open_holds_max: int, at_least: int | None = None) -> Hold:
    """Promise `hold.amount` to a new hold, or again to one that was released or had expired; or less, down to `at_least`.

    `hold` is a draft: it gets its id and its times here.

    A hold with a parent takes from what that promises, and from nothing else.

    Raises: InsufficientCredits, LimitReached, TooManyHolds.
    """
    parent = _parent(books, hold)
    if parent is None:
        available = books.available_to(hold.model, hold.feature)
    else:
        available = sum(_payable(books, parent, hold).values())
        # What the parent promises must not stand in the way of its own children.
        books.count_held(parent.limits, -parent.amount)
    least = hold.amount if at_least is None else min(at_least, hold.amount)
    if least > max(available, 0):
        raise InsufficientCredits(books.account, needed=least, available=available, next_grant_at=books.next_grant_at)
    counting.check(books, hold, least)
    if books.open_hold_count >= open_holds_max:
        raise TooManyHolds(books.account, open_holds_max)
    amount = min(hold.amount, max(available, 0), counting.room(books, hold, hold.amount))
    if parent is None:
        slices = take(books.lots_for(hold.model, hold.feature), amount)
        books.promise(slices)
    else:
        slices = _part(_payable(books, parent, hold), amount)
        books.keep(parent := parent.with_slices(slices, -1))
        books.count_held(parent.limits, parent.amount)
    limits = counting.keys(books, hold)
    books.count_held(limits, amount)
    times = {"held_at": books.now, "expires_at": books.now + lasts}
    hold = changed(hold, id=hold_id, state=HoldState.open, amount=amount, slices=slices, limits=limits, **times)
    books.keep(hold)
    return hold


def grow(books: Books, hold: Hold, amount: int, *, expires_at: datetime) -> Hold:
    """Let an open hold promise `amount` in all, and last until `expires_at`; it never shrinks.

    Raises: InsufficientCredits when the difference is not available, or the hold is no longer open; LimitReached.
    """
    if hold.state is HoldState.settled:
        return hold
    more = max(amount - hold.amount, 0) if hold.state is HoldState.open else amount
    available = books.available_to(hold.model, hold.feature)
    if hold.state is not HoldState.open or more > max(available, 0):
        raise InsufficientCredits(books.account, needed=more, available=available, next_grant_at=books.next_grant_at)
    counting.check(books, hold, more)
    parts = take(books.lots_for(hold.model, hold.feature), more)
    books.promise(parts)
    books.count_held(hold.limits, more)
    grown = changed(hold.with_slices(parts), expires_at=max(hold.expires_at, expires_at))
    books.keep(grown)
    return grown


def explain(books: Books, hold: Hold, *, open_holds_max: int) -> Explanation:
    """Tell what `reserve` would do, and change nothing."""
    before, refusal = books.mark(), None
    lots = {lot.number: lot for lot in books.live_lots()}
    limits = tuple((limit, tally.left(limit, books.now)) for limit, tally in counting.applying(books, hold))
    try:
        slices = reserve(books, hold, hold.id, timedelta(0), open_holds_max=open_holds_max).slices
    except (InsufficientCredits, TooManyHolds) as reason:
        slices, refusal = {}, reason
    books.undo(before)
    available = books.available_to(hold.model, hold.feature)
    parts = tuple((lots[number], part) for number, part in slices.items())
    return Explanation(cost=hold.amount, available=available, parts=parts, limits=limits, refusal=refusal)


def settle(books: Books, hold: Hold, nano: int, note: Note, *, overrun: Overrun = Overrun.debt, overdraft_max: int = 0) -> Settlement:
    """Charge `nano` nano-credits for a hold, whatever became of it; the first settlement is final.

    Paid from what the hold promises, then its parent, then other live lots, then as `overrun` says. The unused promise is given back.
    """
    if hold.state is HoldState.settled:
        assert hold.charged is not None
        return Settlement(hold_id=hold.id, charged=hold.charged, is_late=hold.is_late, replayed=True)
    is_late = hold.state is not HoldState.open
    cost = books.price(nano)
    parts = _paid_from(books, hold, cost)
    short = cost - sum(parts.values())
    sides = [Posting(book=Book.lot, lot=number, amount=-part) for number, part in parts.items()]
    sides += [Posting(book=Book.debt, amount=-short), Posting(book=Book.consumed, amount=cost)]
    books.post(EntryKind.charge, charge_key(hold.key), sides, _counted(note, nano, counting.spend(books, hold, cost)))
    given_up = _write_off(books, hold, short, overrun, overdraft_max) if short else 0
    if short:
        books.tell(EventKind.overrun, hold_id=hold.id, debt=short - given_up, written_off=given_up)
    books.keep(changed(hold, state=HoldState.settled, slices={}, charged=cost, is_late=is_late))
    books.tidy()
    return Settlement(hold_id=hold.id, charged=cost, debt=short - given_up, written_off=given_up, is_late=is_late)


def charge(books: Books, nano: int, *, key: str, note: Note) -> Settlement:
    """Charge `nano` nano-credits at once. Raises: InsufficientCredits, LimitReached."""
    carried = books.carry_nano
    cost = books.price(nano)
    lots = books.lots_for(note.model, note.feature)
    available = sum([lot.free for lot in lots]) - books.debt
    try:
        if cost > max(available, 0):
            raise InsufficientCredits(books.account, needed=cost, available=available, next_grant_at=books.next_grant_at)
        counting.check(books, note, cost)
    except InsufficientCredits:
        books.carry_nano = carried
        raise
    sides = [Posting(book=Book.lot, lot=number, amount=-part) for number, part in take(lots, cost).items()]
    sides.append(Posting(book=Book.consumed, amount=cost))
    books.post(EntryKind.charge, key, sides, _counted(note, nano, counting.spend(books, note, cost)))
    return Settlement(charged=cost)


def release(books: Books, hold: Hold) -> Hold:
    """Give an open hold's promise back; one that is no longer open stays as it is."""
    if hold.state is HoldState.open:
        books.count_held(hold.limits, -hold.amount)
        books.give_back(hold, hold.slices)
        hold = changed(hold, state=HoldState.released, slices={})
        books.keep(hold)
        books.tidy()
    return hold


def reverse(books: Books, charge: Entry, *, written_off: int, key: str, note: Note) -> Entry:
    """Put a charge back into the very lots that paid it; credit of a lot that has died meanwhile expires at once.

    The part that had become debt lowers today's debt; if that was paid since, it comes back as a refund lot without expiry. What was
    written off does not come back. Limits go on counting the charge: the work was done.
    """
    sides = [changed(posting, amount=-posting.amount) for posting in charge.postings if posting.book is not Book.debt]
    sides.append(Posting(book=Book.written_off, amount=written_off))
    indebted = -sum(posting.amount for posting in charge.postings if posting.book is Book.debt) - written_off
    forgiven = min(indebted, books.debt)
    sides.append(Posting(book=Book.debt, amount=forgiven))
    if indebted > forgiven:
        number = books.open_lot(Lot(kind=LotKind.refund, granted=indebted - forgiven, granted_at=books.now))
        sides.append(Posting(book=Book.lot, lot=number, amount=indebted - forgiven))
    done = charge.note
    note = changed(note, model=done.model, feature=done.feature, user=done.user, team=done.team, api_key=done.api_key)
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


def write_off_key(key: str) -> str:
    """The key under which is booked what the hold with `key` cost and nobody pays."""
    return f"write-off:{key}"


def _counted(note: Note, nano: int, limits: tuple[str, ...]) -> Note:
    """The note with the price, and where it was counted; callers may have noted the price already."""
    return note if note.priced_nano == nano and note.limits == limits else changed(note, priced_nano=nano, limits=limits)


def _paid_from(books: Books, hold: Hold, cost: int) -> dict[int, int]:
    """Take a hold's promise apart: what pays `cost`, from where more comes, and what is given back. Returns what each lot pays."""
    parts = _part(hold.slices, cost)
    if hold.state is HoldState.open:
        books.count_held(hold.limits, -hold.amount)
    books.promise(parts, -1)
    if left_over := {number: left for number, held in hold.slices.items() if (left := held - parts.get(number, 0))}:
        books.give_back(hold, left_over)
    parent, rest = _parent(books, hold), cost - sum(parts.values())
    if rest and parent is not None and parent.state is HoldState.open:
        more = _part(_payable(books, parent, hold), rest)
        books.promise(more, -1)
        books.keep(parent.with_slices(more, -1))
        books.count_held(parent.limits, -sum(more.values()))
        parts = {number: parts.get(number, 0) + more.get(number, 0) for number in (*parts, *more)}
        rest -= sum(more.values())
    if not rest:
        return parts
    spare = [changed(lot, held=lot.held + parts.get(lot.number, 0)) for lot in books.lots_for(hold.model, hold.feature)]
    for number, part in take(spare, rest).items():
        parts[number] = parts.get(number, 0) + part
    return parts


def _write_off(books: Books, hold: Hold, short: int, overrun: Overrun, overdraft_max: int) -> int:
    """Give up what is not to be owed of `short`, which is debt already; returns how much that is."""
    owed = {Overrun.debt: short, Overrun.write_off: 0, Overrun.overdraft: max(0, short - max(0, books.debt - overdraft_max))}[overrun]
    given_up = short - owed
    if given_up:
        sides = [Posting(book=Book.debt, amount=given_up), Posting(book=Book.written_off, amount=-given_up)]
        books.post(EntryKind.write_off, write_off_key(hold.key), sides, Note(hold_id=hold.id, reason=overrun.value))
    return given_up


def _parent(books: Books, hold: Hold) -> Hold | None:
    return books.holds.get(hold.parent_id) if hold.parent_id else None


def _payable(books: Books, parent: Hold, hold: Hold) -> dict[int, int]:
    """What a parent promises that may pay for such a use; nothing when it is no longer open."""
    return {number: amount for number, amount in parent.slices.items() if books.lots[number].pays(hold.model, hold.feature)}


def _part(slices: Mapping[int, int], amount: int) -> dict[int, int]:
    """Up to `amount` of what is promised, in its order."""
    parts: dict[int, int] = {}
    for number, promised in slices.items():
        if part := min(promised, amount):
            parts[number] = part
            amount -= part
    return parts
