"""What a host's tests need: a clock that stands still, funded accounts, and proof that the books balance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from .credits import AiCredits
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
