"""Builds the app's parts from the settings: the one place that knows all of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import roomtone_ai_credits
import roomtone_billing
import roomtone_tenancy
from roomtone_ai_credits import AiCredits
from roomtone_billing import Billing
from roomtone_billing.stripe import StripeGateway
from roomtone_tenancy import KeyRing, PoolLimits, Server, Tenancy, Tenant
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from studio.assistant.rates import RATE_CARD
from studio.config import Settings
from studio.contexts.settings import service as studio_settings
from studio.db import Database, StudioBase
from studio.errors import SetupError
from studio.platform import clock, control_schema, queue, subscription
from studio.platform.plans import CATALOGUE, GRACE
from studio.services import Services

TENANT_MIGRATIONS = Path(__file__).parent / "migrations" / "tenant"


def build(settings: Settings, *, database_url: str) -> Services:
    """Build the parts. Opens no connection.

    Args:
        database_url: the control database, `postgresql+psycopg://…`; studios are placed on the same server.
    """
    engine = create_engine(database_url, pool_size=settings.control_pool, max_overflow=0, pool_timeout=10, pool_pre_ping=True)
    now = clock.moved_clock(engine) if settings.demo else _utc_now
    services = Services(
        settings=settings,
        database=Database(engine=engine, tenancy=_tenancy(settings, engine, database_url)),
        billing=_billing(settings, engine, now),
        credits=AiCredits(engine, rate_card=RATE_CARD, clock=now),
        jobs=queue.make_queue(engine),
        clock=now,
    )
    subscription.install(services)
    return services


def install_schemas(services: Services) -> None:
    """Install or upgrade every table of the control database; the order matters to nobody. Safe to run at once in many processes."""
    engine = services.database.engine
    for schema in (roomtone_tenancy.schema, roomtone_billing.schema, roomtone_ai_credits.schema, control_schema):
        schema.upgrade(engine)
    queue.install_schema(engine)


def secret(settings: Settings, name: str, given: str | None, make: Callable[[], str]) -> str:
    """A secret that was given, else one made once and kept under the data folder, readable by its owner only.

    Raises:
        SetupError: the folder cannot be written.
    """
    if given:
        return given
    path = settings.data / "secrets" / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with path.open("x", opener=_private) as file:
                file.write(make())
        except FileExistsError:
            pass
        return path.read_text().strip()
    except OSError as error:
        raise SetupError(f"The secret {name} cannot be kept in {path}: {error.strerror}. Set STUDIO_{name.upper()}, or STUDIO_DATA to a folder we may write.") from error


def secret_key(settings: Settings) -> str:
    """What signs the cookies."""
    given = settings.secret_key.get_secret_value() if settings.secret_key else None
    return secret(settings, "secret_key", given, lambda: secrets.token_urlsafe(48))


def _tenancy(settings: Settings, engine: Engine, database_url: str) -> Tenancy:
    given = settings.keyring.get_secret_value() if settings.keyring else None
    keys = KeyRing.from_text(secret(settings, "keyring", given, lambda: KeyRing.generate().to_text()))
    return Tenancy(
        engine,
        servers=[Server("main", database_url)],
        migrations=TENANT_MIGRATIONS,
        metadata=StudioBase.metadata,
        keys=keys,
        pools=PoolLimits(per_tenant=settings.pool_per_studio, per_server=settings.pool_per_server),
        seed=_seed,
    )


def _seed(db: Session, tenant: Tenant) -> None:
    """The first rows of a new studio's database."""
    facts = {name: str(tenant.metadata[name]) for name in ("name", "timezone", "currency", "locale")}
    studio_settings.initialise(db, **facts)


def _billing(settings: Settings, engine: Engine, now: Callable[[], datetime]) -> Billing:
    gateway = StripeGateway(
        settings.stripe_api_key.get_secret_value(),
        webhook_secrets=[part.strip() for part in settings.stripe_webhook_secrets.get_secret_value().split(",") if part.strip()],
        base_url=settings.stripe_url,
    )
    return Billing(engine, catalogue=CATALOGUE, gateway=gateway, grace=GRACE, clock=now)


def _private(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o600)


def _utc_now() -> datetime:
    return datetime.now(UTC)
