"""The same tests on SQLite and on PostgreSQL: one migrated database each per run, an account of its own per test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from roomtone_ai_credits import AiCredits, ModelRate, RateCard, schema
from roomtone_ai_credits.testing import FrozenClock

# An input token costs one micro-credit, an output token three: tests read as whole numbers.
CARD = RateCard(version="2026-01", models=(ModelRate(pattern="unit*", input_nano=1_000, output_nano=3_000),))


@pytest.fixture(scope="session")
def sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    # SQLite serves waiting writers in no order: on a busy machine one of sixteen can wait long.
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('credits')}/credits.db", connect_args={"timeout": 60})
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    database = f"credits_{uuid.uuid4().hex[:12]}"
    name = sql.Identifier(database)
    admin = postgres_url.replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    engine = create_engine(postgres_url.rsplit("/", 1)[0] + f"/{database}", pool_size=20)
    schema.upgrade(engine)
    yield engine
    engine.dispose()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue("sqlite_engine" if request.param == "sqlite" else "postgres_engine")


@pytest.fixture
def card() -> RateCard:
    return CARD


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def ledger(engine: Engine, clock: FrozenClock) -> AiCredits:
    return AiCredits(engine, rate_card=CARD, clock=clock)


@pytest.fixture
def account(ledger: AiCredits) -> Iterator[str]:
    """A new account whose books must balance when the test is over."""
    name = f"studio-{uuid.uuid4().hex}"
    yield name
    ledger.verify(name)


@pytest.fixture
def transaction(engine: Engine) -> Callable[[], AbstractContextManager[Session]]:
    """Opens a host's transaction, committed at the end of the block."""
    return sessionmaker(engine).begin


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """Every statement sent to the database."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
