"""The app on real parts for its tests: PostgreSQL, offline Stripe in this process, and studios that are really provisioned."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from psycopg import sql
from pydantic import SecretStr

from roomtone_billing import Interval
from roomtone_billing.offline import OfflineStripe
from roomtone_billing.stripe import StripeGateway
from studio import frontend, logs, wiring
from studio.app import HostDispatcher, create_app
from studio.config import Settings
from studio.platform import accounts, jobs
from studio.platform.models import User
from studio.platform.signup import Wish, sign_up
from studio.services import Services

PLATFORM_HOST = "localhost:8000"
PASSWORD = "a quiet room with cables"


class Visitor(FlaskClient):
    """A test client on one host that sends the CSRF token by itself, as our pages do. `token=False` leaves it out."""

    host = PLATFORM_HOST

    def open(self, *args: Any, token: bool = True, **options: Any) -> Any:
        options.setdefault("base_url", f"http://{self.host}")
        method = str(options.get("method", "GET")).upper()
        if token and method in {"POST", "PUT", "PATCH", "DELETE"}:
            headers = dict(options.pop("headers", None) or {})
            headers.setdefault("X-CSRFToken", self._csrf_token())
            options["headers"] = headers
        return super().open(*args, **options)

    def _csrf_token(self) -> str:
        with self.session_transaction(base_url=f"http://{self.host}") as session:
            raw = session.setdefault("csrf_token", "0" * 40)
        return URLSafeTimedSerializer(self.application.secret_key, salt="wtf-csrf-token").dumps(raw)


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A provisioned studio and its owner."""

    key: str
    host: str
    owner_email: str
    password: str
    sign_up_id: str


@pytest.fixture(scope="session")
def control_url(postgres_url: str) -> str:
    """A control database for the whole run; studios stay until the throwaway server goes."""
    name = f"control_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return postgres_url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="session")
def offline_stripe() -> OfflineStripe:
    """An offline Stripe in this process; its webhooks go nowhere until a test delivers them."""
    return OfflineStripe(seed=7)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The demo's settings on a temporary folder."""
    data: Path = tmp_path_factory.mktemp("data")
    return Settings(data=data, host=PLATFORM_HOST, demo=True, stripe_api_key=SecretStr("sk_test_offline"), ai_model=None, smtp_url=None)


@pytest.fixture(scope="session")
def services(settings: Settings, control_url: str, offline_stripe: OfflineStripe) -> Iterator[Services]:
    """The app's parts, schemas installed, template at head, plans published."""
    frontend.build()
    logs.configure("console")
    gateway = StripeGateway("sk_test_offline", webhook_secrets=["whsec_offline"], http_client=offline_stripe.http_client())
    built = wiring.build(settings, database_url=control_url, gateway=gateway)
    wiring.install_schemas(built)
    built.database.tenancy.migrate()
    built.billing.publish()
    yield built
    built.database.tenancy.dispose()
    built.database.engine.dispose()


@pytest.fixture(scope="session")
def app(services: Services) -> HostDispatcher:
    """The WSGI application."""
    dispatcher = create_app(services)
    for one in (dispatcher.platform, dispatcher.studio, dispatcher.backoffice):
        one.test_client_class = Visitor
        one.testing = True
        one.config["PROPAGATE_EXCEPTIONS"] = False
    return dispatcher


@pytest.fixture
def new_studio(app: HostDispatcher, services: Services) -> Callable[..., Studio]:
    """Makes a studio through sign-up and the worker's own functions."""

    def make(*, plan: str = "starter", locale: str = "en") -> Studio:
        slug = f"s{uuid.uuid4().hex[:10]}"
        wish = Wish(
            attempt=uuid.uuid4().hex, studio_name=f"Studio {slug}", slug=slug, person_name="Ada Owner", email=f"{slug}@example.com",
            password=PASSWORD, plan=plan, interval=Interval.month, locale=locale,
        )  # fmt: skip
        with app.platform.app_context():
            with services.database.control() as db:
                row = sign_up(db, services, wish)
            jobs.catch_up(app.platform, services)
        return Studio(key=slug, host=f"{slug}.{PLATFORM_HOST}", owner_email=wish.email, password=PASSWORD, sign_up_id=row.public_id)

    return make


@pytest.fixture
def studio(new_studio: Callable[..., Studio]) -> Studio:
    """One provisioned studio on trial."""
    return new_studio()


@pytest.fixture
def client_of(app: HostDispatcher, services: Services) -> Callable[..., Visitor]:
    """Gives a client on a studio's host, signed in as its owner unless told otherwise."""

    def make(studio: Studio, *, signed_in: bool = True) -> Visitor:
        client = _client(app.studio, studio.host)
        if signed_in:
            with services.database.control() as db:
                user = accounts.find_user(db, studio.owner_email)
                assert isinstance(user, User)
                token = accounts.hand_over(db, user, tenant_key=studio.key)
            assert client.get(f"/enter?token={token}").status_code == 303
        return client

    return make


@pytest.fixture
def studio_client(client_of: Callable[..., Visitor], studio: Studio) -> Visitor:
    """Signed in as the studio's owner, on the studio's host."""
    return client_of(studio)


@pytest.fixture
def visitor(client_of: Callable[..., Visitor], studio: Studio) -> Visitor:
    """Nobody in particular, on the studio's host."""
    return client_of(studio, signed_in=False)


@pytest.fixture
def platform_client(app: HostDispatcher) -> Visitor:
    """Nobody in particular, on the platform's host."""
    return _client(app.platform, PLATFORM_HOST)


@pytest.fixture
def staff_client(app: HostDispatcher, services: Services) -> Visitor:
    """One of our own staff, in the back-office."""
    email = f"{uuid.uuid4().hex[:8]}@example.com"
    with services.database.control() as db:
        accounts.create_user(db, email=email, name="Robin Staff", password=PASSWORD, locale="en", is_staff=True)
    client = _client(app.backoffice, f"backoffice.{PLATFORM_HOST}")
    assert client.post("/sign-in", data={"email": email, "password": PASSWORD}).status_code == 303
    return client


@pytest.fixture
def studio_db(services: Services, studio: Studio) -> Iterator[Any]:
    """A transaction in the studio's own database, committed at the end."""
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        yield db


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def _client(app: Flask, host: str) -> Visitor:
    client = app.test_client()
    assert isinstance(client, Visitor)
    client.host = host
    return client
