"""Builds the app's parts from the settings: the one place that knows all of them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from roomtone_ai_credits import AiCredits
from roomtone_ai_credits import schema as credits_schema
from roomtone_ai_credits.errors import UnknownModel
from roomtone_billing import Billing
from roomtone_billing import schema as billing_schema
from roomtone_billing.gateway import Gateway
from roomtone_billing.stripe import StripeGateway
from roomtone_tenancy import KeyRing, PoolLimits, Reserved, Server, Tenancy, Tenant
from roomtone_tenancy import schema as tenancy_schema
from studio.assistant.rates import RATE_CARD
from studio.config import Settings
from studio.contexts.settings import service as studio_settings
from studio.db import Database, StudioBase
from studio.errors import SetupError
from studio.platform import clock, control_schema, domains, queue, subscription
from studio.platform.plans import CATALOGUE, GRACE, OWN_ADDRESSES
from studio.platform.slugs import OWN_NAMES
from studio.services import Services

TENANT_MIGRATIONS = Path(__file__).parent / "migrations" / "tenant"


def build(settings: Settings, *, database_url: str, gateway: Gateway | None = None) -> Services:
    """Build the parts. Opens no connection.

    Args:
        database_url: the control database, `postgresql+psycopg://…`; studios are placed on the same server.
        gateway: the way to Stripe; None: over HTTP, as the settings say.
    """
    if settings.ai_model is not None:
        _check_priced(settings.ai_model)
    engine = create_engine(database_url, pool_size=settings.control_pool, max_overflow=0, pool_timeout=10, pool_pre_ping=True)
    now: Callable[[], datetime] = clock.MovedClock(engine) if settings.demo else _utc_now
    tenancy = _tenancy(settings, engine, database_url)
    services = Services(
        settings=settings,
        database=Database(engine=engine, tenancy=tenancy),
        billing=Billing(
            engine,
            catalogue=CATALOGUE,
            gateway=gateway or _stripe(settings),
            grace=GRACE,
            clock=now,
            usage_of=lambda tenant_key: {OWN_ADDRESSES: domains.used(tenancy, tenant_key)},
        ),
        credits=AiCredits(engine, rate_card=RATE_CARD, clock=now),
        jobs=queue.make_queue(engine),
        clock=now,
    )
    subscription.install(services)
    return services


def install_schemas(services: Services) -> None:
    """Install or upgrade every table of the control database; the order matters to nobody. Safe to run at once in many processes."""
    engine = services.database.engine
    for schema in (tenancy_schema, billing_schema, credits_schema, control_schema):
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
        with contextlib.suppress(FileExistsError), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
        return path.read_text().strip()
    except OSError as error:
        raise SetupError(
            f"The secret {name} cannot be kept in {path}: {error.strerror}. "
            f"Set STUDIO_{name.upper()}, or STUDIO_DATA to a folder we may write."
        ) from error


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
        reserved=Reserved(keys=Reserved().keys | OWN_NAMES, hosts=[settings.host]),
    )


def _seed(db: Session, tenant: Tenant) -> None:
    """The first rows of a new studio's database."""
    facts = {name: str(tenant.metadata[name]) for name in ("name", "timezone", "currency", "locale")}
    studio_settings.initialise(db, **facts)


def _check_priced(model: str) -> None:
    """Refuse at start what every turn would refuse."""
    try:
        RATE_CARD.rate(model)
    except UnknownModel as error:
        raise SetupError(
            f"STUDIO_AI_MODEL is {model!r}, which has no price. Add it to studio/assistant/rates.py, or choose one that is there."
        ) from error


def _stripe(settings: Settings) -> StripeGateway:
    secrets_given = settings.stripe_webhook_secrets.get_secret_value().split(",")
    return StripeGateway(
        settings.stripe_api_key.get_secret_value(),
        webhook_secrets=[part.strip() for part in secrets_given if part.strip()],
        base_url=settings.stripe_url,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
