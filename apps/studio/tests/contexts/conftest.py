"""A migrated studio database with one studio set up in it, for the tests of rows."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import studio
from studio.contexts.scheduling import rooms
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.values import Opening, Span
from studio.contexts.settings import service as settings

VERSIONS = Path(studio.__file__).parent / "migrations/tenant/versions"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # a Monday, 9 in Paris


@dataclass(frozen=True, kw_only=True)
class Place:
    """A database with rooms 'Studio A' and 'Studio B', open 10–22 each day, 50 and 30 euros an hour."""

    engine: Engine
    a: str
    b: str
    now: datetime = NOW

    def session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    def span(self, hour: float, hours: float, *, day: int = 24) -> Span:
        """Wall-clock hours in Paris of a day of November 2026."""
        starts_at = datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour - 1)
        return Span(starts_at=starts_at, ends_at=starts_at + timedelta(hours=hours))


@pytest.fixture
def migrate() -> Callable[[Engine], None]:
    """Runs the tenant migrations on a database; their file names are in their order."""

    def run(engine: Engine) -> None:
        for path in sorted(VERSIONS.glob("*.py")):
            spec = importlib.util.spec_from_file_location(f"tenant_{path.stem}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
                module.upgrade()

    return run


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, pool_size=25)
    yield engine
    engine.dispose()


@pytest.fixture
def place(engine: Engine, migrate: Callable[[Engine], None]) -> Place:
    migrate(engine)
    with Session(engine) as db, db.begin():
        settings.initialise(db, name="Studio Belleville", timezone="Europe/Paris", currency="EUR", locale="fr")
        a = rooms.save_room(db, RoomInput(public_id=None, version=None, name="Studio A", kind="live", capacity=8))
        b = rooms.save_room(db, RoomInput(public_id=None, version=None, name="Studio B", kind="mix", capacity=3))
        rooms.set_opening(db, [Opening(room_id=None, weekday=d, opens_minute=600, closes_minute=1320) for d in range(7)])
        rooms.set_hourly(db, {1: 5000, 2: 3000})
    return Place(engine=engine, a=a, b=b)
