"""From Stripe's word to what a studio may do: plan, credits, and the way down and back up when payments fail."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import select
from werkzeug.test import Client

from roomtone_ai_credits import CREDIT, EntryKind
from roomtone_billing import Interval, Phase
from roomtone_billing.offline import OfflineStripe
from roomtone_billing.stripe import StripeGateway
from roomtone_tenancy import TenantState
from studio import wiring
from studio.app import HostDispatcher, create_app
from studio.config import Settings
from studio.platform import clock, jobs
from studio.platform.models import AuditEvent, OutboundMail
from studio.platform.signup import Wish, sign_up
from studio.platform.standing import settle, wanted_state
from studio.platform.views.plan import credit_words
from studio.services import Services

DAY_S = 86_400
CARD = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": "Ada"}


@dataclass(frozen=True, kw_only=True)
class World:
    """An app and an offline Stripe of their own, whose time a test may move."""

    services: Services
    app: HostDispatcher
    stripe: OfflineStripe

    def pass_days(self, days: int) -> None:
        """Move Stripe's and our time on, deliver what Stripe sends, and let the worker apply it."""
        for _day in range(days):
            with self.services.database.control() as db:
                clock.move(db, DAY_S)
            self.stripe.advance(DAY_S)
        self.catch_up()

    def catch_up(self) -> None:
        self.services.clock.look_again()
        self.stripe.deliver()
        jobs.catch_up(self.app.platform, self.services)

    def stripe_customers(self) -> list[dict]:
        return Client(self.stripe.wsgi_app).get("/v1/customers?limit=100", headers={"Authorization": "Bearer sk_test_offline"}).json["data"]

    def pay_open_invoice(self, customer: str) -> None:
        """Pay what is open, as the customer would on Stripe's page."""
        client, key = Client(self.stripe.wsgi_app), {"Authorization": "Bearer sk_test_offline"}
        for invoice in client.get(f"/v1/invoices?customer={customer}&status=open", headers=key).json["data"]:
            answer = client.post(f"/v1/invoices/{invoice['id']}/pay", headers=key)
            assert answer.status_code == 200, answer.text
        self.catch_up()

    def state(self, key: str) -> TenantState:
        return self.services.database.tenancy.tenant(key).state

    def credits(self, key: str) -> int:
        return self.services.credits.balance(key).available // CREDIT

    def buy_pack(self, key: str, pack: str) -> None:
        """Pay for a pack on Stripe's page; the redirect and the webhooks both tell of it."""
        account = self.services.billing.account(key)
        url = account.buy(pack, success_url="http://x.test/", cancel_url="http://x.test/")
        answer = Client(self.stripe.wsgi_app).post(urlsplit(url).path, data=CARD)
        assert answer.status_code == 303, answer.text
        account.sync()
        self.catch_up()
        self.catch_up()

    def refund(self, amount_minor: int) -> None:
        """Give back a part of the latest payment."""
        api = self.stripe.client().v1
        api.refunds.create({"payment_intent": api.payment_intents.list().data[0].id, "amount": amount_minor})
        self.catch_up()

    def buy(self, key: str, *, plan: str, interval: Interval = Interval.month) -> None:
        """Pay on Stripe's page, and let the webhooks arrive."""
        url = self.services.billing.account(key).checkout(
            plan=plan, interval=interval, success_url="http://x.test/", cancel_url="http://x.test/"
        )
        answer = Client(self.stripe.wsgi_app).post(urlsplit(url).path, data=CARD)
        assert answer.status_code == 303, answer.text
        self.catch_up()


@pytest.fixture(scope="module")
def world(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    name = f"control_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    received: list[Services] = []

    def post(_url: str, body: bytes, headers: dict[str, str]) -> int:
        received[0].billing.receive(body, headers["Stripe-Signature"])
        return 200

    stripe = OfflineStripe(seed=11, webhook_url="http://127.0.0.1/hook", webhook_secret="whsec_offline", post=post)
    settings = Settings(data=tmp_path_factory.mktemp("data"), host="localhost:8000", demo=True, stripe_api_key=SecretStr("sk_test_offline"))
    gateway = StripeGateway("sk_test_offline", webhook_secrets=["whsec_offline"], http_client=stripe.http_client())
    services = wiring.build(settings, database_url=postgres_url.rsplit("/", 1)[0] + f"/{name}", gateway=gateway)
    received.append(services)
    wiring.install_schemas(services)
    services.database.tenancy.migrate()
    services.billing.publish()
    yield World(services=services, app=create_app(services), stripe=stripe)
    services.database.tenancy.dispose()
    services.database.engine.dispose()


@pytest.fixture
def key(world: World) -> str:
    """A provisioned studio on trial."""
    slug = f"p{uuid.uuid4().hex[:10]}"
    wish = Wish(
        attempt=uuid.uuid4().hex, studio_name="Écho", slug=slug, person_name="Ada", email=f"{slug}@example.com",
        password="a quiet room with cables", plan="starter", interval=Interval.month, locale="en",
    )  # fmt: skip
    with world.app.platform.app_context(), world.services.database.control() as db:
        sign_up(db, world.services, wish)
    world.catch_up()
    return slug


def test_buying_a_plan_makes_it_active_with_its_credits_once(world: World, key: str) -> None:
    world.buy(key, plan="pro")
    world.catch_up()

    access = world.services.billing.account(key).access()
    assert (access.phase, access.plan_key, access.is_subscribed) == (Phase.active, "pro", True)
    assert world.credits(key) == 500
    assert [e.amount // CREDIT for e in world.services.credits.entries(key)] == [500, -50, 50]


def test_a_pack_is_granted_once_and_outlives_the_month(world: World, key: str) -> None:
    before = world.credits(key)

    world.buy_pack(key, "credits-300")

    assert world.credits(key) == before + 300
    pack = next(lot for lot in world.services.credits.balance(key).lots if lot.kind == "pack")
    assert (pack.expires_at, pack.cost_minor, pack.currency) == (None, 500, "EUR")
    world.services.credits.verify(key)


def test_a_refund_takes_the_unused_credits_of_its_part_and_no_others(world: World, key: str) -> None:
    before = world.credits(key)
    world.buy_pack(key, "credits-100")

    world.refund(100)
    halved = world.credits(key)
    world.refund(100)

    assert (halved, world.credits(key)) == (before + 50, before)
    assert [entry.kind for entry in world.services.credits.entries(key, limit=2)] == [EntryKind.clawback, EntryKind.clawback]
    world.services.credits.verify(key)


def test_a_renewed_month_brings_its_credits_and_the_old_ones_die(world: World, key: str) -> None:
    world.buy(key, plan="starter")
    with world.services.database.control() as db:
        world.services.credits.adjust(db, key, amount=-20 * CREDIT, key=f"spent:{key}", reason="spent", actor="test")

    world.pass_days(33)

    assert (world.state(key), world.credits(key)) == (TenantState.ACTIVE, 50)


def test_a_year_paid_at_once_brings_credits_each_month(world: World, key: str) -> None:
    world.buy(key, plan="pro", interval=Interval.year)
    with world.services.database.control() as db:
        world.services.credits.adjust(db, key, amount=-500 * CREDIT, key=f"spent:{key}", reason="spent", actor="test")

    world.pass_days(32)

    assert world.credits(key) == 500


def test_a_trial_that_ends_unpaid_makes_the_studio_read_only_then_closes_it(world: World, key: str) -> None:
    world.pass_days(15)
    after_trial = (world.state(key), world.credits(key))
    world.pass_days(8)

    assert after_trial == (TenantState.READ_ONLY, 0)
    assert world.state(key) is TenantState.SUSPENDED


def test_unpaid_leads_through_grace_and_read_only_to_suspended_and_payment_undoes_it(world: World, key: str) -> None:
    world.buy(key, plan="starter")
    customer = next(c["id"] for c in world.stripe_customers() if c["metadata"].get("account") == key)
    world.stripe.decline(customer)

    seen = [world.state(key)]
    world.pass_days(33)
    phase = world.services.billing.account(key).access().phase
    seen.append(world.state(key))
    world.pass_days(7)
    seen.append(world.state(key))
    world.pass_days(8)
    seen.append(world.state(key))
    unpaid_credits = world.credits(key)
    world.stripe.decline(customer, declining=False)
    world.pay_open_invoice(customer)
    seen.append(world.state(key))

    assert phase is Phase.grace
    assert seen == [TenantState.ACTIVE, TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED, TenantState.ACTIVE]
    assert (unpaid_credits, world.credits(key)) == (0, 50)
    with world.services.database.control() as db:
        said = db.scalars(
            select(OutboundMail.subject).where(OutboundMail.recipient == f"{key}@example.com").order_by(OutboundMail.created_at)
        ).all()
        deeds = db.scalars(select(AuditEvent.action).where(AuditEvent.target == key).order_by(AuditEvent.id)).all()
    assert [s.split(" ", 1)[1] if ":" not in s else s.split(": ")[1] for s in said][2:] == [
        "the payment did not go through",
        "is read-only",
        "is suspended",
    ]
    assert deeds[-4:] == ["phase.grace", "phase.read_only", "phase.suspended", "phase.active"]


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("held", [False, True])
def test_a_hold_of_our_staff_is_stronger_than_any_phase(phase: Phase, held: bool) -> None:
    state = wanted_state(phase, held=held)

    assert (state is TenantState.SUSPENDED) == (held or phase is Phase.suspended)
    assert (state is TenantState.READ_ONLY) == (not held and phase is Phase.read_only)


def test_a_lifted_hold_gives_what_the_subscription_allows(services, studio) -> None:
    with services.database.control() as db:
        settle(db, services, studio.key, reason="complaint", held=True)
    with services.database.control() as db:
        settle(db, services, studio.key, reason="paid late", phase=Phase.active)
    assert services.database.tenancy.tenant(studio.key).state is TenantState.SUSPENDED

    with services.database.control() as db:
        settle(db, services, studio.key, reason="settled", held=False)

    assert services.database.tenancy.tenant(studio.key).state is TenantState.ACTIVE


def test_every_kind_of_entry_in_the_ledger_has_words(app: HostDispatcher) -> None:
    with app.studio.test_request_context("/"):
        assert set(credit_words()) == set(map(str, EntryKind))


def test_the_plan_page_sells_packs_to_its_owner(studio_client) -> None:
    page = studio_client.get("/app/plan").text

    went = studio_client.post("/app/plan/pack", data={"pack": "credits-100"})
    unknown = studio_client.post("/app/plan/pack", data={"pack": "credits-1"})

    assert [price in page for price in ("€2.00", "€5.00", "€7.00")] == [True] * 3
    assert (went.status_code, unknown.status_code) == (303, 409)
    assert "/c/pay/" in went.location
