"""The whole way with the official SDK against the offline Stripe: its pages, its clock, its webhooks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from sqlalchemy.orm import Session
from werkzeug.test import Client

from roomtone_billing import (
    Billing,
    Event,
    Interval,
    PeriodRenewed,
    Phase,
    PhaseChanged,
    PlanChanged,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialStarted,
)
from roomtone_billing.errors import BillingError
from roomtone_billing.offline import Chaos, OfflineStripe
from roomtone_billing.stripe import StripeGateway

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY_S = 86_400


@dataclass
class World:
    """A host, its customer's browser and Stripe's dashboard, on one clock."""

    offline: OfflineStripe
    billing: Billing
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.browser = Client(self.offline.wsgi_app)
        self.dashboard = stripe.StripeClient("sk_test_offline", http_client=self.offline.http_client()).v1

    def buy(self, plan: str, interval: Interval = Interval.month, number: str = "4242424242424242") -> int:
        return self.pay_at(self.checkout(plan, interval), number)

    def checkout(self, plan: str, interval: Interval = Interval.month) -> str:
        return self.billing.account("a").checkout(plan=plan, interval=interval, success_url="http://s/", cancel_url="http://c/")

    def pay_at(self, url: str, number: str = "4242424242424242") -> int:
        typed = {"number": number, "expiry": "12 / 40", "cvc": "123", "name": "A"}
        return self.browser.post(url.removeprefix("http://127.0.0.1:4242"), data=typed).status_code

    def settle(self) -> Phase:
        """Deliver what is queued, and let the worker come to rest."""
        for _ in range(20):
            if not self.offline.deliver() + self.billing.work():
                return self.billing.account("a").access().phase
        raise AssertionError("never comes to rest")

    def pass_days(self, days: float) -> Phase:
        self.offline.advance(days * DAY_S)
        self.settle()
        self.billing.sweep()
        return self.settle()

    @property
    def subscription(self) -> stripe.Subscription:
        return self.dashboard.subscriptions.list({"status": "all"}).data[0]

    def decline(self, *, declining: bool = True) -> None:
        self.offline.decline(self.dashboard.customers.list().data[0].id, declining=declining)

    def pay_what_is_open(self) -> None:
        for invoice in self.dashboard.invoices.list({"status": "open"}).data:
            self.dashboard.invoices.pay(invoice.id)

    def switch(self, plan: str, interval: Interval = Interval.month) -> None:
        price = self.dashboard.prices.list({"lookup_keys": [f"{plan}_{interval}"]}).data[0]
        item = self.subscription.items.data[0]
        self.dashboard.subscriptions.update(self.subscription.id, {"items": [{"id": item.id, "price": price.id}]})

    def phases(self) -> list[Phase]:
        return [event.after for event in self.told if isinstance(event, PhaseChanged)]

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.told)


def build(engine, catalogue, chaos: Chaos | None = None) -> World:
    def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        try:
            world.billing.receive(body, headers["Stripe-Signature"])
        except BillingError:
            return 400
        return 200

    offline = OfflineStripe(clock=lambda: START, webhook_url="http://127.0.0.1/hook", post=post, chaos=chaos, validate=True)
    gateway = StripeGateway("sk_test_offline", webhook_secrets=["whsec_offline"], http_client=offline.http_client())
    billing = Billing(engine, catalogue=catalogue, gateway=gateway, clock=lambda: offline.now)
    world = World(offline, billing)
    for kind in (TrialStarted, SubscriptionStarted, PeriodRenewed, PlanChanged, PhaseChanged, SubscriptionEnded):
        billing.on(kind, name="note")(lambda session, event: world.told.append(event))
    billing.publish()
    with Session(engine) as session, session.begin():
        billing.start_trial(session, "a", plan="starter", interval=Interval.month, email="a@example.org", name="A")
    return world


@pytest.fixture
def world(engine, catalogue) -> World:
    return build(engine, catalogue)


def test_publishing_again_finds_everything_in_place(world):
    assert world.billing.publish() == []


def test_a_checkout_paid_is_active_by_its_webhook_and_told_once(world):
    before = world.settle()
    answer = world.buy("pro")

    assert (before, answer) == (Phase.trialing, 303)
    assert world.settle() is Phase.active
    access = world.billing.account("a").access()
    assert (access.plan_key, access.interval, access.is_subscribed, access.card) == ("pro", Interval.month, True, "visa •••• 4242")
    assert [type(event) for event in world.told] == [TrialStarted, SubscriptionStarted, PhaseChanged]
    assert world.told[1].period_start == START
    assert {view.state for view in world.billing.inbox()} <= {"done", "ignored"}


def test_a_redirect_before_any_webhook_is_active_too(world):
    world.buy("pro")

    assert world.billing.account("a").sync().phase is Phase.active
    world.settle()
    assert world.count(SubscriptionStarted) == 1


def test_a_declined_card_at_the_checkout_leaves_the_trial(world):
    assert world.buy("pro", number="4000000000000002") == 402
    assert world.settle() is Phase.trialing
    assert world.count(SubscriptionStarted) == 0


def test_of_two_tabs_only_the_later_can_pay(world):
    urls = [world.checkout("pro"), world.checkout("starter")]
    answers = [world.pay_at(url) for url in urls]
    world.settle()

    assert answers[1] == 303
    assert len(world.dashboard.subscriptions.list({"status": "all"}).data) == 1
    assert world.billing.account("a").access().plan_key == "starter"


def test_each_month_renews_once_and_keeps_the_day_of_the_month(world):
    world.buy("starter")
    world.settle()
    for _ in range(13):
        world.pass_days(7)

    renewed = [event.period_start.date().isoformat() for event in world.told if isinstance(event, PeriodRenewed)]
    assert renewed == ["2026-02-28", "2026-03-31", "2026-04-30"]
    assert world.phases() == [Phase.active]


def test_not_paying_ends_in_suspension_step_by_step_and_paying_undoes_it(world):
    world.buy("pro")
    world.settle()
    world.decline()
    phases = [world.pass_days(28.1)] + [world.pass_days(7) for _ in range(2)]
    access = world.billing.account("a").access()
    world.decline(declining=False)
    world.pay_what_is_open()

    assert phases == [Phase.grace, Phase.read_only, Phase.suspended]
    assert access.is_subscribed
    assert world.settle() is Phase.active
    assert world.phases() == [Phase.active, Phase.grace, Phase.read_only, Phase.suspended, Phase.active]
    assert world.count(PeriodRenewed) == 1


def test_paying_within_grace_ends_it_without_more(world):
    world.buy("pro")
    world.settle()
    world.decline()
    in_grace = world.pass_days(28.1)
    until = world.billing.account("a").access().until
    world.decline(declining=False)
    world.pay_what_is_open()

    assert in_grace is Phase.grace
    assert until - world.offline.now < timedelta(days=7)
    assert world.settle() is Phase.active
    assert world.phases() == [Phase.active, Phase.grace, Phase.active]


def test_a_change_of_plan_at_stripe_is_told(world):
    world.buy("starter")
    world.settle()
    world.switch("pro")
    world.settle()
    world.switch("pro", Interval.year)
    world.settle()

    changes = [(event.before, event.after, event.interval) for event in world.told if isinstance(event, PlanChanged)]
    assert changes == [("starter", "pro", Interval.month), ("pro", "pro", Interval.year)]
    assert world.billing.account("a").access().interval is Interval.year


def test_cancelling_at_the_end_of_the_period_can_be_undone_until_then(world):
    world.buy("pro")
    world.settle()
    world.dashboard.subscriptions.update(world.subscription.id, {"cancel_at_period_end": True})
    world.settle()
    pending = world.billing.account("a").access()
    world.dashboard.subscriptions.update(world.subscription.id, {"cancel_at_period_end": False})
    world.settle()
    resumed = world.billing.account("a").access()

    assert pending.phase is resumed.phase is Phase.active
    assert pending.cancel_at == pending.until == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert resumed.cancel_at is None


def test_a_cancelled_subscription_ends_with_its_period_and_another_can_be_bought(world):
    world.buy("pro")
    world.settle()
    world.dashboard.subscriptions.update(world.subscription.id, {"cancel_at_period_end": True})
    phases = [world.pass_days(27), world.pass_days(1.1), world.pass_days(7)]
    world.buy("starter")

    assert phases == [Phase.active, Phase.read_only, Phase.suspended]
    assert world.settle() is Phase.active
    assert (world.count(SubscriptionStarted), world.count(SubscriptionEnded)) == (2, 1)
    assert world.billing.account("a").access().plan_key == "starter"


def test_forty_days_in_one_step_suspend_nobody_who_paid(world):
    world.buy("pro")
    world.settle()
    world.offline.advance(40 * DAY_S)
    world.billing.sweep()
    world.settle()

    assert world.phases() == [Phase.active]
    assert world.count(PeriodRenewed) == 1


def test_without_any_webhook_sweeping_alone_gets_there(engine, catalogue):
    world = build(engine, catalogue, Chaos(drop=1.0))
    world.buy("pro")
    world.billing.account("a").sync()
    world.decline()
    phases = []
    for _ in range(45):
        world.offline.advance(DAY_S)
        world.billing.sweep()
        world.billing.work()
        phases.append(world.billing.account("a").access().phase)

    assert [phase for phase, _ in itertools.groupby(phases)] == [Phase.active, Phase.grace, Phase.read_only, Phase.suspended]


@pytest.mark.parametrize("seed", range(6))
def test_reordered_doubled_and_lost_webhooks_end_in_the_same_story(engine, catalogue, seed):
    world = build(engine, catalogue, Chaos(seed=seed, reorder=True, duplicate=0.5, drop=0.3))
    world.buy("starter")
    world.settle()
    world.switch("pro")
    for _ in range(5):
        world.pass_days(7)
    world.dashboard.subscriptions.cancel(world.subscription.id)
    for _ in range(3):
        world.pass_days(3)

    assert world.billing.account("a").access().phase is Phase.suspended
    kinds = [type(event) for event in world.told if not isinstance(event, PhaseChanged)]
    assert kinds == [TrialStarted, SubscriptionStarted, PlanChanged, PeriodRenewed, SubscriptionEnded]


def test_the_portal_opens_and_invoices_have_their_pages(world):
    world.buy("pro")
    world.settle()
    (invoice,) = world.billing.account("a").invoices()

    assert (invoice.amount_minor, invoice.currency, invoice.status) == (5900, "EUR", "paid")
    assert invoice.hosted_url.startswith("http://127.0.0.1:4242/invoice/")
    assert world.billing.account("a").portal(return_url="http://r/").startswith("http://127.0.0.1:4242/p/session/")
