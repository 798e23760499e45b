"""The time that billing and credits go by. Real time, but in the demo, whose time machine can move it on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studio.platform.models import DemoClock

SEEN_FOR_S = 1.0


class MovedClock:
    """A clock that the demo's time machine moves; it reads how far at most once a second.

    Args:
        engine: the control database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lock = engine, Lock()
        self._read_at, self._offset = -SEEN_FOR_S, timedelta()

    def __call__(self) -> datetime:
        """The moved time, aware, in UTC."""
        with self._lock:
            if time.monotonic() - self._read_at >= SEEN_FOR_S:
                with Session(self._engine) as db:
                    self._offset = timedelta(seconds=db.scalar(select(DemoClock.offset_s)) or 0)
                self._read_at = time.monotonic()
            return datetime.now(UTC) + self._offset

    def look_again(self) -> None:
        """Read how far the time was moved when next asked, instead of within a second."""
        self._read_at = -SEEN_FOR_S


def move(db: Session, seconds: int) -> None:
    """Move the demo's time on; it never goes back."""
    assert seconds > 0
    statement = insert(DemoClock).values(id=1, offset_s=seconds)
    db.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"offset_s": DemoClock.offset_s + seconds}))
