"""Counting use under limits: what they leave, what they refuse, what was charged."""

from __future__ import annotations

from .books import Books
from .errors import LimitReached
from .limits import Limit, Scope, Tally, Use, subjects, tally_key
from .notices import EventKind

_ORDER = {scope: place for place, scope in enumerate(Scope)}


def applying(books: Books, use: Use) -> list[tuple[Limit, Tally]]:
    """The limits such a use is counted in, widest scope first, and what each has counted."""
    if not books.limits:
        return []
    whose = subjects(use)
    found: dict[str, Limit] = {}
    for (name, subject), limit in books.limits.items():
        is_meant = limit.is_active and whose.get(limit.scope) is not None and subject in ("", whose[limit.scope])
        if is_meant and (name not in found or subject):
            found[name] = limit
    limits = sorted(found.values(), key=lambda limit: (_ORDER[limit.scope], limit.name))
    return [(limit, _tally(books, limit, whose[limit.scope])) for limit in limits]


def keys(books: Books, use: Use) -> tuple[str, ...]:
    """The keys of the tallies such a use is counted in; those that are new are opened."""
    tallies = [tally for _, tally in applying(books, use)]
    for tally in tallies:
        books.tallies.setdefault(tally.key, tally)
    return tuple(tally.key for tally in tallies)


def room(books: Books, use: Use, most: int) -> int:
    """What hard limits leave of `most` for such a use; not below 0."""
    return max(0, min((tally.left(limit, books.now) for limit, tally in applying(books, use) if limit.is_hard), default=most))


def check(books: Books, use: Use, amount: int) -> None:
    """Raises: LimitReached when a hard limit leaves less than `amount`, the widest first."""
    for limit, tally in applying(books, use):
        left = tally.left(limit, books.now)
        if limit.is_hard and amount > max(left, 0):
            raise LimitReached(
                books.account,
                limit=limit.name,
                scope=limit.scope.value,
                subject=tally.subject,
                needed=amount,
                available=left,
                next_grant_at=limit.resets_at(tally, books.now),
            )


def spend(books: Books, use: Use, amount: int) -> tuple[str, ...]:
    """Count a charge, whatever the limits say, and return in which tallies. An event tells of the first charge beyond a limit."""
    counted = []
    for limit, tally in applying(books, use):
        before = tally.spent_in(limit, books.now)
        books.tallies[tally.key] = tally.charged(limit, books.now, amount)
        counted.append(tally.key)
        if before <= limit.amount < before + amount:
            facts = {"limit": limit.name, "scope": limit.scope.value, "subject": tally.subject, "amount": limit.amount}
            books.tell(EventKind.limit_passed, **facts, spent=before + amount)
    return tuple(counted)


def _tally(books: Books, limit: Limit, subject: str) -> Tally:
    return books.tallies.get(tally_key(limit.name, subject)) or Tally(name=limit.name, subject=subject)
