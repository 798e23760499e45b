"""Asking: what every verb works with, and acts that book once per key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from . import inputs
from .acts import Act
from .books import Books
from .entries import Entry, Note
from .grants import Grant
from .holds import Overrun
from .pricing import RateCard


class Asking:
    """What verbs work with: prices, a clock, and the bounds of holds."""

    def __init__(
        self,
        *,
        rate_card: RateCard,
        clock: Callable[[], datetime],
        hold_ttl_s: int,
        open_holds_max: int,
        overrun: Overrun = Overrun.debt,
        overdraft_max: int = 0,
    ) -> None:
        self.rate_card = rate_card
        self._clock, self._hold_ttl_s, self._open_holds_max = clock, inputs.ttl(hold_ttl_s), open_holds_max
        self._overrun, self._overdraft_max = Overrun(overrun), inputs.whole("overdraft_max", overdraft_max)


def once(account: str, prefix: str, key: str, note: Note, book: Callable[[Books, str], Entry], *, sees: tuple[str, ...] = ()) -> Act[Grant]:
    """An act that books one entry, once per key."""
    entry_key = f"{prefix}:{inputs.key(key)}"

    def plan(books: Books) -> Grant:
        booked = books.replayed(entry_key, note.digest)
        entry = booked or book(books, entry_key)
        return Grant(account=account, key=key, amount=entry.amount, at=entry.at, replayed=booked is not None)

    return Act(plan=plan, account=inputs.key(account, "account"), entry_keys=(entry_key, *sees))


def rule_once(
    account: str, prefix: str, key: str, note: Note, book: Callable[[Books, str], None], *, subjects: tuple[str, ...] = ()
) -> Act[None]:
    """An act that sets or ends a rule, once per key."""
    entry_key = f"{prefix}:{inputs.key(key)}"

    def plan(books: Books) -> None:
        if books.replayed(entry_key, note.digest) is None:
            book(books, entry_key)

    return Act(plan=plan, account=inputs.key(account, "account"), entry_keys=(entry_key,), subjects=subjects)
