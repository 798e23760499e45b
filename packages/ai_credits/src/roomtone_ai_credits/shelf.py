"""The shelf: books as the last transaction of this process left them, so that the next one need not read them again.

Nothing on it is trusted. What is planned on such books is written only if the account's row is still the one that was written with them,
and if no key that an act asks for is known by now; else the books are read, and everything is planned anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .page import Needs, Page

ACCOUNTS_MAX = 512
PARTS_MAX = 2048
AGE_MAX_NS = 1_000_000_000
PENALTY_MAX = 31


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Books to plan on, and the version of the account's row that goes with them.

    Attributes:
        new_hold_keys: keys that acts ask for and that no hold in these books has: none must be known.
    """

    page: Page
    version: str
    new_hold_keys: list[str]


class Shelf:
    """Books by account; at most ACCOUNTS_MAX, none older than a second, none with more than PARTS_MAX lots, holds and tallies.

    Where others change an account as well, less and less is planned in vain: after each miss more turns are not tried, up to PENALTY_MAX.

    Args:
        monotonic: nanoseconds that only go on; whatever sets the clock of the machine, nothing is kept for longer.
    """

    def __init__(self, *, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic = monotonic
        # No lock: each step on these is one of the interpreter's, and a fork would copy a lock that is held.
        self._places: dict[str, tuple[Page, str, int]] = {}
        self._missed: dict[str, tuple[int, int]] = {}

    def take(self, needs: Needs) -> Kept | None:
        """Take an account's books down, if they have all that is needed. Whoever has them is alone with them."""
        penalty, left = self._missed.get(needs.account, (0, 0))
        place = self._places.pop(needs.account, None)
        if left:
            self._missed[needs.account] = (penalty, left - 1)
        if place is None or left:
            return None
        page, version, put_at = place
        if self._monotonic() - put_at > AGE_MAX_NS or not page.has(needs):
            return None
        known = page.books.hold_ids
        return Kept(page=page.reopened(needs.now), version=version, new_hold_keys=[key for key in needs.hold_keys if key not in known])

    def put(self, page: Page, version: str) -> None:
        """Keep the books of a page that was written in a transaction that has committed."""
        books = page.closed()
        if len(books.lots) + len(books.holds) + len(books.tallies) > PARTS_MAX:
            return
        if len(self._places) >= ACCOUNTS_MAX:
            self._places.clear()
        self._places[books.account] = (page, version, self._monotonic())

    def missed(self, account: str) -> None:
        """Note that what was planned on kept books could not be written."""
        if len(self._missed) >= ACCOUNTS_MAX:
            self._missed.clear()
        penalty, _ = self._missed.get(account, (0, 0))
        penalty = min(2 * penalty + 1, PENALTY_MAX)
        self._missed[account] = (penalty, penalty)

    def hit(self, account: str) -> None:
        """Note that it could be written."""
        self._missed.pop(account, None)

    def clear(self) -> None:
        """Keep nothing: the server may not be the one it was."""
        self._places.clear()
