"""A billing on PostgreSQL and on a SQLite file, over a fake Stripe and a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from roomtone_billing import (
    Billing,
    Catalogue,
    Event,
    Interval,
    PeriodRenewed,
    PhaseChanged,
    Plan,
    PlanChanged,
    Price,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialStarted,
    schema,
)
from roomtone_billing.testing import Clock, FakeGateway

CATALOGUE = Catalogue(
    plans=(
        Plan("starter", "Starter", (Price(Interval.month, 1900), Price(Interval.year, 19000)), trial_days=14, limits={"ai_credits": 50}),
        Plan("pro", "Pro", (Price(Interval.month, 5900), Price(Interval.year, 59000)), trial_days=14, limits={"ai_credits": 500}),
    )
)
TABLES = ("billing_handled", "billing_outbox", "billing_inbox", "billing_account")


@pytest.fixture(scope="session")
def postgres_engine(postgres_url):
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS billing_tests WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE billing_tests"))
    engine.dispose()
    engine = create_engine(postgres_url.rsplit("/", 1)[0] + "/billing_tests")
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["postgresql", "sqlite"])
def engine(request, tmp_path: Path):
    if request.param == "postgresql":
        engine = request.getfixturevalue("postgres_engine")
        with engine.begin() as connection:
            for table in TABLES:
                connection.execute(text(f"DELETE FROM {table}"))
        yield engine
        return
    engine = create_engine(f"sqlite:///{tmp_path}/billing.db")
    # No power cut is tested here, and waiting for the disk is most of the time otherwise.
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def catalogue() -> Catalogue:
    return CATALOGUE


@dataclass
class Host:
    """A host with a handler for every event, that writes down what it was told."""

    engine: Engine
    clock: Clock
    stripe: FakeGateway
    billing: Billing
    told: list[Event] = field(default_factory=list)

    def start_trial(self, account: str = "a") -> None:
        with Session(self.engine) as session, session.begin():
            self.billing.start_trial(session, account, plan="starter", interval=Interval.month, email="a@example.org", name="A")

    def customer(self, account: str = "a") -> str:
        """Start a trial, go to the checkout, and come back without paying: the account has a customer."""
        self.start_trial(account)
        self.billing.publish()
        url = self.billing.account(account).checkout(
            plan="starter", interval=Interval.month, success_url="https://s", cancel_url="https://c"
        )
        return url.split("/")[3]

    def hear(self, customer: str | None, times: int = 1) -> None:
        for _ in range(times):
            self.billing.receive(*self.stripe.event(customer))

    def drain(self) -> None:
        for _ in range(50):
            if not self.billing.work():
                return
        raise AssertionError("work never comes to rest")

    def keys(self, kind: type[Event] | None = None) -> list[str]:
        return [event.key for event in self.told if kind is None or isinstance(event, kind)]


def listen(billing: Billing, told: list[Event]) -> None:
    def note(session: Session, event: Event) -> None:
        told.append(event)

    for kind in (TrialStarted, SubscriptionStarted, PeriodRenewed, PlanChanged, PhaseChanged, SubscriptionEnded):
        billing.on(kind, name="note")(note)


@pytest.fixture
def host(engine) -> Host:
    clock = Clock()
    stripe = FakeGateway(clock)
    billing = Billing(engine, catalogue=CATALOGUE, gateway=stripe, clock=clock)
    host = Host(engine, clock, stripe, billing)
    listen(billing, host.told)
    return host
