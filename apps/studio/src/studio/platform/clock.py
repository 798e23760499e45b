"""The time that billing and credits go by. Real time, but in the demo, whose time machine can move it on."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studio.platform.models import DemoClock

SEEN_FOR_S = 1.0


def moved_clock(engine: Engine) -> Callable[[], datetime]:
    """A clock that reads the demo's offset at most once a second."""
    lock, seen = Lock(), {"at": -SEEN_FOR_S, "offset_s": 0.0}

    def now() -> datetime:
        with lock:
            if time.monotonic() - seen["at"] >= SEEN_FOR_S:
                with Session(engine) as db:
                    seen["offset_s"] = float(db.scalar(select(DemoClock.offset_s)) or 0)
                seen["at"] = time.monotonic()
            return datetime.now(UTC) + timedelta(seconds=seen["offset_s"])

    return now


def move(db: Session, seconds: int) -> None:
    """Move the demo's time on; it never goes back."""
    assert seconds > 0
    statement = insert(DemoClock).values(id=1, offset_s=seconds)
    db.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"offset_s": DemoClock.offset_s + seconds}))
