"""Rate limits that all processes share: a counter per subject and window in the control database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studio.errors import TooManyAttempts
from studio.platform.models import RateWindow

KEEP = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `count` attempts in each window of `window_s` seconds."""

    count: int
    window_s: int


SIGN_IN_BY_ACCOUNT = Limit(count=10, window_s=300)
SIGN_IN_BY_ADDRESS = Limit(count=30, window_s=300)
SIGN_UP_BY_ADDRESS = Limit(count=20, window_s=3600)
SLUG_CHECK_BY_ADDRESS = Limit(count=120, window_s=60)
BOOKING_BY_ADDRESS = Limit(count=30, window_s=3600)
PAY_BY_ADDRESS = Limit(count=60, window_s=3600)
ASSISTANT_BY_USER = Limit(count=60, window_s=300)


def count_attempt(db: Session, limit: Limit, *subject: str) -> None:
    """Count one attempt, in a transaction that the caller commits whatever comes of the attempt.

    Args:
        subject: what is limited, such as ("sign-in", an e-mail address); kept hashed.

    Raises:
        TooManyAttempts: this attempt is over the limit.
    """
    now = datetime.now(UTC)
    start = datetime.fromtimestamp(now.timestamp() // limit.window_s * limit.window_s, UTC)
    key = hashlib.sha256("\x1f".join([*subject, str(limit.window_s)]).encode()).hexdigest()
    counted = db.execute(
        insert(RateWindow)
        .values(subject=key, window_at=start)
        .on_conflict_do_update(index_elements=["subject", "window_at"], set_={"count": func.least(RateWindow.count + 1, 1_000_000)})
        .returning(RateWindow.count)
    ).scalar_one()
    if counted > limit.count:
        raise TooManyAttempts(retry_after_s=int((start + timedelta(seconds=limit.window_s) - now).total_seconds()) + 1)


def forget_old_windows(db: Session) -> None:
    """Delete counters older than a day."""
    db.execute(delete(RateWindow).where(RateWindow.window_at < datetime.now(UTC) - KEEP))
