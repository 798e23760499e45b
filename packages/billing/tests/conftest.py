"""A billing on PostgreSQL and on a SQLite file, over the offline Stripe, whose clock stands still until it is moved."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from werkzeug.test import Client

from roomtone_billing import (
    Account,
    Billing,
    Catalogue,
    Event,
    Interval,
    Pack,
    PackBought,
    PackRefunded,
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
from roomtone_billing.models import AccountRow, metadata
from roomtone_billing.offline import OfflineStripe
from roomtone_billing.signature import sign
from roomtone_billing.snapshot import Snapshot
from roomtone_billing.stripe import StripeGateway

CATALOGUE = Catalogue(
    plans=(
        Plan(
            "starter",
            "Starter",
            (Price(Interval.month, 1900), Price(Interval.year, 19000)),
            trial_days=14,
            limits={"ai_credits": 50, "rooms": 2},
        ),
        Plan(
            "pro",
            "Pro",
            (Price(Interval.month, 5900), Price(Interval.year, 59000)),
            trial_days=14,
            features=("own_domain",),
            limits={"ai_credits": 500, "rooms": 10},
        ),
    ),
    packs=(
        Pack("credits-100", "100 AI credits", 200, grants={"ai_credits": 100}),
        Pack("credits-300", "300 AI credits", 500, grants={"ai_credits": 300}),
    ),
)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = "whsec_test"


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
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
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


class CountingGateway(StripeGateway):
    """The real gateway; `fetches` counts its fetches, the failed ones too."""

    fetches = 0

    def fetch(self, customer: str) -> Snapshot:
        self.fetches += 1
        return super().fetch(customer)


class Clock:
    """The one time of the host and of its Stripe; moving it lets Stripe do what falls due."""

    def __init__(self, offline: OfflineStripe) -> None:
        self._offline = offline

    def __call__(self) -> datetime:
        return self._offline.now

    def move(self, **parts: float) -> None:
        self._offline.advance(timedelta(**parts).total_seconds())


class Stripe:
    """An offline Stripe and what customers, banks and its dashboard do there; `api` is the SDK's client on it."""

    def __init__(self) -> None:
        self.offline = OfflineStripe(
            clock=lambda: START, webhook_url="http://127.0.0.1/hook", webhook_secret=SECRET, post=self._keep, validate=True
        )
        self.api = self.offline.client().v1
        self._post: dict[str | None, list[bytes]] = defaultdict(list)
        self._touched = 0
        self._connected: list[bytes] = []

    def stranger(self) -> str:
        """A customer that somebody else made in the same account."""
        return self.api.customers.create({"name": "Somebody else"}).id

    def subscribe(self, customer: str, *, plan: str, interval: Interval = Interval.month, is_paid: bool = True) -> str:
        """Buy a plan with a card, which declines if it is not paid; returns the subscription's id."""
        card = self.api.payment_methods.attach("pm_card_visa", {"customer": customer})
        self.offline.decline(customer, declining=not is_paid)
        price = self._price(plan, interval)
        asked = {"customer": customer, "items": [{"price": price}], "default_payment_method": card.id}
        return self.api.subscriptions.create(asked).id

    def pay_at(self, page: str, number: str = "4242424242424242") -> None:
        """What a customer does at a checkout page, with a card that works, or the account of that IBAN."""
        typed = {"number": number, "expiry": "12 / 40", "cvc": "123", "name": "A", "email": "typed@example.org"}
        assert Client(self.offline.wsgi_app).post(urlsplit(page).path, data=typed).status_code == 303

    def renew(self, subscription: str, *, is_paid: bool = True) -> datetime:
        """Let the period end, and its next invoice leave the hour as a draft; returns when the new period began."""
        found = self.api.subscriptions.retrieve(subscription)
        self.offline.decline(found.customer, declining=not is_paid)
        end = datetime.fromtimestamp(found.items.data[0].current_period_end, UTC)
        self.offline.advance((end + timedelta(hours=1) - self.offline.now).total_seconds())
        return end

    def pay(self, subscription: str) -> None:
        """Let the card work again and pay all that is owed, also what an unpaid subscription kept as a draft."""
        self.offline.decline(self.api.subscriptions.retrieve(subscription).customer, declining=False)
        for invoice in self.api.invoices.list({"subscription": subscription, "limit": 100}).data:
            if invoice.status in {"draft", "open"}:
                self.api.invoices.pay(invoice.id)

    def change_plan(self, subscription: str, *, plan: str, interval: Interval = Interval.month) -> None:
        item = self.api.subscriptions.retrieve(subscription).items.data[0]
        self.api.subscriptions.update(subscription, {"items": [{"id": item.id, "price": self._price(plan, interval)}]})

    def cancel(self, subscription: str) -> None:
        self.api.subscriptions.cancel(subscription)

    def break_down(self, times: int = 1, *, operation: str = "get /v1/customers/.*") -> None:
        """Let the next questions for a customer, which begin each fetch, go unanswered; or the next of another operation."""
        self.offline.fail_next("timeout", operation=operation, times=times)

    def events(self, customer: str, count: int = 1) -> list[bytes]:
        """The newest events about the customer that were not given out; the older are lost, and a touch makes what is lacking."""
        self.offline.deliver()
        while len(self._post[customer]) < count:
            self._touched += 1
            self.api.customers.update(customer, {"metadata": {"touched": str(self._touched)}})
            self.offline.deliver()
        found = self._post.pop(customer)
        return found[len(found) - count :]

    def take(self) -> list[bytes]:
        """Every event that was not given out, of all customers, in Stripe's order."""
        self.offline.deliver()
        found, self._post = [body for bodies in self._post.values() for body in bodies], defaultdict(list)
        return found

    def connected_events(self) -> list[bytes]:
        """Every event of connected accounts that was not given out, oldest first."""
        self.offline.deliver()
        found, self._connected = self._connected, []
        return found

    def _price(self, plan: str, interval: Interval) -> str:
        return self.api.prices.list({"lookup_keys": [f"{plan}_{interval}"]}).data[0].id

    def _keep(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        if "account" in json.loads(body):
            self._connected.append(body)
            return 200
        thing = json.loads(body)["data"]["object"]
        self._post[thing["id"] if thing["object"] == "customer" else thing.get("customer")].append(body)
        return 200


@dataclass
class Host:
    """A host with a handler for every event, that writes down what it was told."""

    engine: Engine
    clock: Clock
    stripe: Stripe
    gateway: CountingGateway
    billing: Billing
    told: list[Event] = field(default_factory=list)

    def start_trial(self, account: str = "a") -> None:
        with Session(self.engine) as session, session.begin():
            self.billing.start_trial(session, account, plan="starter", interval=Interval.month, email="a@example.org", name="A")

    def customer(self, account: str = "a") -> str:
        """Start a trial, go to the checkout, and come back without paying: the account has a customer."""
        self.start_trial(account)
        self.billing.publish()
        self.billing.account(account).checkout(plan="starter", interval=Interval.month, success_url="http://s", cancel_url="http://c")
        with Session(self.engine) as session:
            return session.get_one(AccountRow, account).customer

    def subscribed(self, account: str = "a", *, plan: str = "starter", interval: Interval = Interval.month) -> tuple[Account, str]:
        """The account has bought the plan, and billing knows; returns its billing and the subscription's id."""
        customer = self.customer(account)
        subscription = self.stripe.subscribe(customer, plan=plan, interval=interval)
        self.billing.account(account).sync()
        self.drain()
        return self.billing.account(account), subscription

    def event(self) -> tuple[bytes, str]:
        """A webhook about a customer that is not ours."""
        return self.signed(self.stripe.events(self.stripe.stranger())[0])

    def signed(self, payload: bytes) -> tuple[bytes, str]:
        """The payload as Stripe would send it now; each attempt has a signature of its own."""
        return payload, sign(payload, secret=SECRET, at=self.clock())

    def hear(self, customer: str, times: int = 1) -> None:
        """Let the newest events about the customer arrive, so many; the older are lost."""
        for payload in self.stripe.events(customer, times):
            self.billing.receive(*self.signed(payload))

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

    for kind in (TrialStarted, SubscriptionStarted, PeriodRenewed, PlanChanged, PhaseChanged, SubscriptionEnded, PackBought, PackRefunded):
        billing.on(kind, name="note")(note)


@pytest.fixture
def host(engine) -> Iterator[Host]:
    stripe = Stripe()
    clock = Clock(stripe.offline)
    # A call is not repeated by the SDK, which would pause: what is tested is what billing does about a failure.
    gateway = CountingGateway("sk_test_offline", webhook_secrets=[SECRET], http_client=stripe.offline.http_client(), retries_max=0)
    billing = Billing(engine, catalogue=CATALOGUE, gateway=gateway, clock=clock)
    host = Host(engine, clock, stripe, gateway, billing)
    listen(billing, host.told)
    yield host
    stripe.offline.close()
