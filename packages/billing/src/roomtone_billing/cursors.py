"""Where long runs stand, so that another process goes on when one is killed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from .models import CursorRow
from .transactions import writing


def find(engine: Engine, name: str) -> dict[str, Any]:
    """Where the run of that name stands; empty when it is to begin."""
    with Session(engine) as session:
        row = session.get(CursorRow, name)
        return dict(row.place) if row else {}


def move(engine: Engine, name: str, place: dict[str, Any], *, now: datetime) -> None:
    """Note where the run goes on."""
    with writing(engine) as session:
        session.merge(CursorRow(name=name, place=place, moved_at=now))


def forget(engine: Engine, name: str) -> None:
    """Let the next run begin at the beginning."""
    with writing(engine) as session:
        if row := session.get(CursorRow, name):
            session.delete(row)
