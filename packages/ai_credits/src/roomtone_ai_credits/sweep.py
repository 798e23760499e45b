"""Books what time has already made true. Nothing depends on it: reads and holds see the same without it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from .ledger import Ledger
from .models import ACCOUNT

ACCOUNTS_MAX = 1000


def sweep(ledger: Ledger, now: datetime) -> int:
    """Bring up to ACCOUNTS_MAX accounts up to date, those that waited longest first, each in a transaction of its own.

    Returns: how many accounts were due.
    Raises: ExceptionGroup, after all others were served, of what went wrong with some.
    """
    change = ACCOUNT.c.next_change_at
    query = select(ACCOUNT.c.account).where(change <= now).order_by(change).limit(ACCOUNTS_MAX)
    with ledger.engine.connect() as connection:
        due = connection.scalars(query).all()
    problems: list[Exception] = []
    for account in due:
        try:
            ledger.transact(account, [])  # opening the books brings them up to date
        except Exception as problem:  # noqa: BLE001  # one account's broken books must not hold up the others
            problem.add_note(f"while sweeping account {account!r}")
            problems.append(problem)
    if problems:
        raise ExceptionGroup(f"{len(problems)} of {len(due)} accounts could not be swept; run `credits verify`", problems)
    return len(due)
