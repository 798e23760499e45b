"""A studio with rooms, bookings and credits, and models that do as they are told."""

from __future__ import annotations

import importlib.util
import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from psycopg import sql
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

import roomtone_ai_credits.schema
import studio
from roomtone_ai_credits import CREDIT, AiCredits
from roomtone_ai_credits.testing import FrozenClock, fund
from studio.assistant import service
from studio.assistant.offline import offline_model
from studio.assistant.rates import OFFLINE_MODEL, RATE_CARD
from studio.assistant.service import Asker, Office
from studio.contexts.scheduling import queries, rooms
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.rules import Opening, Span
from studio.contexts.scheduling.service import ClientInput, create_booking
from studio.contexts.scheduling.values import Source
from studio.contexts.settings import service as settings

VERSIONS = Path(studio.__file__).parent / "migrations/tenant/versions"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # a Monday, 9 in Paris
OWNER = Asker(user_id="owner", locale="en")


def migrate(engine: Engine) -> None:
    """Run the tenant's migrations on a database."""
    for path in sorted(VERSIONS.glob("0*.py"))[:2]:
        spec = importlib.util.spec_from_file_location(f"tenant_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            module.upgrade()


@dataclass(frozen=True, kw_only=True)
class Place:
    """'Studio A' (50 € an hour) and 'Studio B' (30 €), open 10–22 each day, with as many credits as `fund` gave."""

    engine: Engine
    credits: AiCredits
    clock: FrozenClock
    office: Office
    a: str
    open_sessions: list[Session]

    def ask(self, question: str, *, model=None, key: str | None = None, asker: Asker = OWNER, conversation=None, name=OFFLINE_MODEL):
        office = replace(self.office, model_name=name, **({"make_model": lambda: model} if model else {}))
        return service.ask(office, asker, key=key or f"key-{next(KEYS)}", question=question, conversation=conversation)

    def book(self, hour: float, hours: float, *, day: int = 24, client: str = "Luna Park", room: str | None = None):
        starts_at = datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour - 1)
        span = Span(starts_at=starts_at, ends_at=starts_at + timedelta(hours=hours))
        with Session(self.engine) as db, db.begin():
            return create_booking(db, room=room or self.a, span=span, source=Source.staff, now=NOW, client=ClientInput(name=client))

    def left(self) -> int:
        """Whole credits available."""
        return self.credits.balance(self.office.account).available // CREDIT

    def session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)


KEYS = itertools.count()


@pytest.fixture(scope="session")
def engine(postgres_url: str) -> Iterator[Engine]:
    """A migrated database with a studio in it, for the whole run; `place` cleans it for each test."""
    name = f"assistant_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    engine = create_engine(postgres_url.rsplit("/", 1)[0] + f"/{name}", pool_size=20)
    migrate(engine)
    roomtone_ai_credits.schema.upgrade(engine)
    with Session(engine) as db, db.begin():
        settings.initialise(db, name="Studio Belleville", timezone="Europe/Paris", currency="EUR", locale="fr")
        rooms.save_room(db, RoomInput(public_id=None, version=None, name="Studio A", kind="live", capacity=8))
        rooms.save_room(db, RoomInput(public_id=None, version=None, name="Studio B", kind="mix", capacity=3))
        rooms.set_opening(db, [Opening(room_id=None, weekday=d, opens_minute=600, closes_minute=1320) for d in range(7)])
    yield engine
    engine.dispose()
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def place(engine: Engine) -> Place:
    with Session(engine) as db, db.begin():
        db.execute(text("TRUNCATE allocation, booking, party, assistant_action, assistant_turn, assistant_conversation"))
        db.execute(text("ALTER SEQUENCE booking_number RESTART"))
        rooms.set_hourly(db, {1: 5000, 2: 3000})
        a = next(room.public_id for room in queries.rooms(db) if room.name == "Studio A")
    clock = FrozenClock(NOW)
    ledger = AiCredits(engine, rate_card=RATE_CARD, clock=clock)
    account = uuid.uuid4().hex  # the ledger keeps what it is told: each test has an account of its own
    fund(ledger, engine, account, 5 * CREDIT)
    open_sessions: list[Session] = []

    @contextmanager
    def open_db() -> Iterator[Session]:
        with Session(engine, expire_on_commit=False) as db, db.begin():
            open_sessions.append(db)
            try:
                yield db
            finally:
                open_sessions.remove(db)

    office = Office(
        account=account,
        studio="Studio Belleville",
        timezone="Europe/Paris",
        credits=ledger,
        open_db=open_db,
        model_name=OFFLINE_MODEL,
        make_model=offline_model,
        clock=clock,
    )
    return Place(engine=engine, credits=ledger, clock=clock, office=office, a=a, open_sessions=open_sessions)


@pytest.fixture
def scripted() -> Callable[..., FunctionModel]:
    """Makes a model that answers with these steps in turn: a text, a call `(tool, arguments)`, or a list of calls. The last repeats."""

    def make(*steps) -> FunctionModel:
        left = list(steps)

        async def respond(_messages, _info) -> ModelResponse:
            step = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, str):
                return ModelResponse(parts=[TextPart(step)])
            calls = step if isinstance(step, list) else [step]
            return ModelResponse(parts=[ToolCallPart(name, arguments) for name, arguments in calls])

        return FunctionModel(respond, model_name="scripted")

    return make
