"""What a host's tests need: a clock that stands still, funded accounts, and proof that the books balance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from .credits import AiCredits
from .ledger import POINTS
from .usage import Usage
from .verification import Verification


class FrozenClock:
    """A clock for `AiCredits(clock=...)` that moves only when told."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time it stands at."""
        return self.now

    def advance(self, *, days: int = 0, seconds: int = 0, microseconds: int = 0) -> datetime:
        """Move on and return the new time."""
        self.now += timedelta(days=days, seconds=seconds, microseconds=microseconds)
        return self.now


def fund(ledger: AiCredits, engine: Engine, account: str, amount: int) -> None:
    """Give `amount` micro-credits to a test's account, once, and commit."""
    with Session(engine) as session, session.begin():
        ledger.grant(session, account, amount=amount, key="fund", reason="test")


def assert_books_balance(ledger: AiCredits) -> Verification:
    """Fail unless every account's books balance. Raises: LedgerMismatch."""
    return ledger.verify()


@dataclass(frozen=True, kw_only=True)
class FakeModel:
    """A model that streams as it is told, for tests of what surrounds a call.

    Attributes:
        usage: what it uses and reports at the end; None when it reports nothing.
        chunks: in how many pieces its output comes.
        fails_after: after how many pieces it raises `problem`; None: it does not.
    """

    usage: Usage | None
    chunks: int = 4
    fails_after: int | None = None
    problem: Callable[[], BaseException] = RuntimeError

    def stream(self) -> Iterator[Usage | None]:
        """Yield what has been used after each piece, all in all; None where nothing is reported."""
        for number in range(1, self.chunks + 1):
            if self.fails_after is not None and number > self.fails_after:
                raise self.problem()
            yield self.usage and replace(self.usage, output_tokens=self.usage.output_tokens * number // self.chunks)


class Crash(BaseException):
    """The process died here, as far as the code around it can tell."""


@contextmanager
def crash_at(ledger: AiCredits, point: str) -> Iterator[None]:
    """Make every transaction in the block die at `point`: "begun", "planned" or, with its answer lost, "committed". Raises: Crash."""
    assert point in POINTS, point

    def die(reached: str) -> None:
        if reached == point:
            raise Crash(point)

    before, ledger.ledger.reached = ledger.ledger.reached, die
    try:
        yield
    finally:
        ledger.ledger.reached = before
