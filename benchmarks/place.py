"""The app on real parts for measuring: a durable PostgreSQL server of its own, offline Stripe in this process, no demo."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from pydantic import SecretStr
from sqlalchemy.orm import Session

from roomtone_billing import Interval
from roomtone_billing.offline import OfflineStripe
from roomtone_billing.stripe import StripeGateway
from studio import frontend, wiring
from studio.app import HostDispatcher, create_app
from studio.config import Settings
from studio.contexts.scheduling import queries, rooms, service
from studio.contexts.scheduling.values import Opening, Source, Span
from studio.control import ensure_database
from studio.embedded import EmbeddedPostgres, find_binaries
from studio.platform import accounts, jobs, provisioning
from studio.platform.signup import Wish, sign_up
from studio.services import Services

ROOMS = 4
BOOKINGS_A_DAY = 4  # in each room
DAYS = 8  # today, and the week that the Today page looks ahead
PASSWORD = "a quiet room with cables"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A running app.

    Attributes:
        server_url: the superuser's, as SQLAlchemy wants it.
    """

    services: Services
    app: HostDispatcher
    server_url: str

    def new_studio(self) -> str:
        """Sign up and make the studio as the worker does, until it is active; returns its key."""
        slug = self.sign_up()
        with self.app.platform.app_context():
            provisioning.run(self.services, slug)
        return slug

    def sign_up(self) -> str:
        """Sign up as a person would; returns the key of the studio to be made."""
        slug = f"bench-{uuid.uuid4().hex[:10]}"
        wish = Wish(
            attempt=uuid.uuid4().hex, studio_name="Bench Studio", slug=slug, person_name="Ada Bench", email=f"{slug}@example.com",
            password=PASSWORD, plan="pro", interval=Interval.month, locale="en",
        )  # fmt: skip
        with self.app.platform.app_context(), self.services.database.control() as db:
            sign_up(db, self.services, wish)
        return slug

    def furnished(self) -> str:
        """A studio with rooms, hours, rates, a week of bookings, and its trial's credits; returns its key."""
        slug = self.new_studio()
        jobs.catch_up(self.app.platform, self.services)
        with self.services.database.control() as db:
            self.services.credits.grant(db, slug, amount=10_000_000_000, key=f"{slug}-bench")
        with self.app.platform.app_context(), self.services.database.tenancy.use(slug), self.services.database.studio() as db:
            for number in range(ROOMS):
                given = rooms.RoomInput(public_id=None, version=None, name=f"Studio {number + 1}", kind="live", capacity=6)
                rooms.save_room(db, given)
            rooms.set_opening(db, [Opening(room_id=None, weekday=d, opens_minute=0, closes_minute=1440) for d in range(7)])
            rooms.set_hourly(db, {room.id: 5000 for room in queries.rooms(db)})
            for room in queries.rooms(db):
                self._book(db, room.public_id)
        return slug

    def _book(self, db: Session, room: str) -> None:
        morning = datetime.now(ZoneInfo("Europe/Paris")).replace(hour=8, minute=0, second=0, microsecond=0)
        for number in range(DAYS * BOOKINGS_A_DAY):
            start = morning + timedelta(days=number // BOOKINGS_A_DAY, hours=3 * (number % BOOKINGS_A_DAY))
            client = service.ClientInput(name=f"Band {number % 17}", email=f"band{number % 17}@example.com")
            span = Span(starts_at=start.astimezone(UTC), ends_at=start.astimezone(UTC) + timedelta(hours=2))
            service.create_booking(db, room=room, span=span, source=Source.staff, now=datetime.now(UTC), client=client)

    def sign_in(self, key: str) -> str:
        """The Cookie header of the studio's owner."""
        with self.services.database.control() as db:
            owner = accounts.find_user(db, f"{key}@example.com")
            assert owner is not None
            token = accounts.hand_over(db, owner, tenant_key=key)
        client = self.app.studio.test_client()
        host = self.services.settings.studio_host(key)
        assert client.get(f"/enter?token={token}", base_url=f"http://{host}").status_code == 303
        cookie = client.get_cookie(self.app.studio.config["SESSION_COOKIE_NAME"], domain=host.partition(":")[0])
        assert cookie is not None
        return f"{cookie.key}={cookie.value}"


@contextmanager
def place() -> Iterator[Place]:
    """An app on an embedded server that forces everything to disk before it says yes, for the length of the block."""
    frontend.build()
    folder = Path(tempfile.mkdtemp(prefix="roomtone-bench-"))
    server = EmbeddedPostgres(data=folder / "postgres", binaries=find_binaries(), durable=True)
    with (Path(os.devnull)).open("w") as nowhere:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(nowhere))
        server.start()
        try:
            yield from _wired(server, folder)
        finally:
            server.stop()
            structlog.reset_defaults()
            shutil.rmtree(folder, ignore_errors=True)


def _wired(server: EmbeddedPostgres, folder: Path) -> Iterator[Place]:
    settings = Settings(data=folder, host="localhost:8000", stripe_api_key=SecretStr("sk_test_offline"), ai_model=None, smtp_url=None)
    gateway = StripeGateway("sk_test_offline", webhook_secrets=["whsec_offline"], http_client=OfflineStripe(seed=7).http_client())
    services = wiring.build(settings, database_url=ensure_database(server.url, name="control"), gateway=gateway)
    wiring.install_schemas(services)
    services.database.tenancy.migrate()
    services.billing.publish()
    try:
        yield Place(services=services, app=create_app(services), server_url=server.url)
    finally:
        services.database.tenancy.dispose()
        services.database.engine.dispose()
