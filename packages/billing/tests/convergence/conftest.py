"""Stories of subscriptions, played once on the offline Stripe, and an oracle that reads their ends off its own objects.

A story is a line of steps. Each step is one event of it: the webhooks of the step are kept, and so is what the gateway fetches after it.
A telling then delivers the events in any order, and the truth at each delivery is that of the latest step delivered: what Stripe would
have said at the earliest moment at which that order is possible.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from roomtone_billing import (
    Billing,
    Catalogue,
    Interval,
    PeriodRenewed,
    PhaseChanged,
    Plan,
    PlanChanged,
    Price,
    SubscriptionEnded,
    SubscriptionStarted,
    schema,
)
from roomtone_billing import Event as DomainEvent
from roomtone_billing.gateway import CustomerOwner
from roomtone_billing.models import AccountRow
from roomtone_billing.offline import OfflineStripe
from roomtone_billing.signature import sign
from roomtone_billing.snapshot import Snapshot, from_json, to_json
from roomtone_billing.stripe import StripeGateway

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = "whsec_stories"
CATALOGUE = Catalogue(
    plans=tuple(
        Plan(key, key.title(), (Price(Interval.month, cents), Price(Interval.year, 10 * cents)), trial_days=14)
        for key, cents in (("starter", 1900), ("pro", 5900))
    )
)
# One step each: what customers, banks, the dashboard and time do.
STORIES = {
    "first purchase": "buy starter",
    "first purchase of pro": "buy pro",
    "bought by the year": "buy pro year",
    "first payment declined": "decline; buy pro",
    "first payment declined, then paid": "decline; buy pro; accept; pay",
    "first payment never made": "decline; buy pro; wait 1",
    "never paid, then bought": "decline; buy pro; wait 1; accept; buy starter",
    "three renewals": "buy starter; renew; renew; renew",
    "renewal declined": "buy pro; decline; renew",
    "renewal declined, paid in time": "buy pro; decline; renew; accept; pay",
    "not paid for ten days": "buy pro; decline; renew; wait 10",
    "not paid to the end": "buy pro; decline; renew; wait 20",
    "paid after the end of dunning": "buy pro; decline; renew; wait 20; accept; pay",
    "upgrade": "buy starter; change pro",
    "upgrade to the year": "buy pro; change pro year",
    "downgrade": "buy pro; change starter",
    "there and back": "buy starter; change pro; change starter; change pro; change starter; renew",
    "to be cancelled": "buy pro; cancel later",
    "cancelled at the end": "buy pro; cancel later; wait 32",
    "cancelled at the end, long ago": "buy pro; cancel later; wait 45",
    "thought better of it": "buy pro; cancel later; keep; renew",
    "cancelled at once": "buy pro; cancel",
    "subscribed again": "buy starter; cancel; wait 2; buy pro",
    "the old one ends late": "buy starter; decline; renew; accept; buy pro; cancel first",
    "collection paused": "buy pro; pause; renew; continue; renew",
    "trial with a card": "try pro; wait 8",
    "trial with a card that declines": "try pro; decline; wait 8",
    "trial without a card": "try pro cardless cancel; wait 8",
    "trial without a card, paused": "try pro cardless pause; wait 8",
    "trial cancelled": "try pro; cancel later; wait 8",
    "disputed": "card dispute; buy pro",
    "refunded": "buy pro; refund",
    "customer deleted": "buy pro; forget",
    "two subscriptions": "buy starter; wait 1; buy pro",
    "two subscriptions, the first ends": "buy starter; wait 1; buy pro; cancel first; renew",
    "price archived": "buy pro; archive pro; renew",
    "a price that is not ours": "buy pro; change foreign",
    "many seats": "buy pro; seats 5; renew; seats 2",
    "a busy year": "buy starter; change pro; decline; renew; accept; pay",
}


@dataclass(frozen=True, kw_only=True)
class End:
    """Where an account stands."""

    phase: str
    plan: str | None
    is_subscribed: bool
    cancel_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step left: its webhooks, the truth after it as JSON, and when that was."""

    payloads: tuple[bytes, ...]
    truth: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A story as it was played; `end` is what the oracle says of it."""

    name: str
    customer: str
    steps: tuple[Step, ...]
    end: End

    def copy(self, mark: str) -> Recording:
        """The same story of another customer: every id has `mark` at its end."""

        def rename(text: str) -> str:
            return re.sub(r'"((?:cus|sub|in|evt)_[A-Za-z0-9]+)"', rf'"\g<1>{mark}"', text)

        steps = tuple(
            Step(payloads=tuple(rename(one.decode()).encode() for one in step.payloads), truth=rename(step.truth), at=step.at)
            for step in self.steps
        )
        return Recording(name=self.name, customer=self.customer + mark, steps=steps, end=self.end)


class Player:
    """Plays one story on an offline Stripe of its own."""

    def __init__(self, catalogue, *, seed: int) -> None:
        self.post: list[bytes] = []
        self.offline = OfflineStripe(seed=seed, clock=lambda: START, webhook_url="http://127.0.0.1/hook", post=self._note)
        self.api = self.offline.client().v1
        self.gateway = StripeGateway("sk_test_x", webhook_secrets=[SECRET], http_client=self.offline.http_client(), retries_max=0)
        engine = create_engine("sqlite://", poolclass=StaticPool)
        Billing(engine, catalogue=catalogue, gateway=self.gateway, clock=lambda: self.offline.now).publish()
        engine.dispose()
        product = self.api.products.create({"name": "Somebody else's"}).id
        asked = {"product": product, "currency": "eur", "unit_amount": 700, "recurring": {"interval": "month"}}
        self.prices = {"foreign": self.api.prices.create(asked).id}
        for one in self.api.prices.list({"limit": 100, "active": True}).data:
            self.prices |= {one.lookup_key: one.id} if one.lookup_key else {}
        self.customer = self.api.customers.create({"email": "a@example.org"}).id
        self.card = self.api.payment_methods.attach("pm_card_visa", {"customer": self.customer}).id
        self.deleted_at: datetime | None = None

    def play(self, name: str, story: str) -> Recording:
        steps = []
        for line in story.split(";"):
            verb, *words = line.split()
            self.offline.advance(60)
            getattr(self, f"do_{verb}")(*words)
            self.offline.deliver()
            mine = tuple(one for one in self.post if self.customer.encode() in one)
            self.post.clear()
            steps.append(Step(payloads=mine, truth=json.dumps(to_json(self.gateway.fetch(self.customer))), at=self.offline.now))
        # Steps that nobody tells of (a bank that begins to decline) are no events.
        told = tuple(step for step in steps if step.payloads)
        return Recording(name=name, customer=self.customer, steps=told, end=self._oracle(at=told[-1].at))

    def _note(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.post.append(body)
        return 200

    def _subscriptions(self) -> list:
        # Straight from its store: the API lists nothing of a customer that was deleted.
        return [one for one in self.offline.world.store.all("subscription") if one["customer"] == self.customer]

    def _living(self) -> str:
        return [one["id"] for one in self._subscriptions() if one["status"] not in {"canceled", "incomplete_expired"}][-1]

    def _price(self, plan: str, interval: str) -> str:
        return self.prices[plan if plan == "foreign" else f"{plan}_{interval}"]

    def do_card(self, kind: str) -> None:
        self.card = self.api.payment_methods.attach("pm_card_createDispute", {"customer": self.customer}).id

    def do_buy(self, plan: str, interval: str = "month") -> None:
        asked = {"customer": self.customer, "items": [{"price": self._price(plan, interval)}], "default_payment_method": self.card}
        self.api.subscriptions.create(asked)

    def do_try(self, plan: str, card: str = "", at_end: str = "") -> None:
        asked = {"customer": self.customer, "items": [{"price": self._price(plan, "month")}]}
        asked["trial_end"] = int((self.offline.now + timedelta(days=7)).timestamp())
        if card:
            asked["trial_settings"] = {"end_behavior": {"missing_payment_method": at_end}}
        else:
            asked["default_payment_method"] = self.card
        self.api.subscriptions.create(asked)

    def do_decline(self) -> None:
        self.offline.decline(self.customer)

    def do_accept(self) -> None:
        self.offline.decline(self.customer, declining=False)

    def do_pay(self) -> None:
        for one in self.api.invoices.list({"customer": self.customer, "limit": 100}).data:
            if one.status in {"open", "draft"}:
                self.api.invoices.pay(one.id)

    def do_renew(self) -> None:
        (living,) = [one for one in self._subscriptions() if one["id"] == self._living()]
        end = max(item["current_period_end"] for item in living["items"]["data"])
        self.offline.advance(end + 3700 - self.offline.now.timestamp())

    def do_wait(self, days: str) -> None:
        self.offline.advance(float(days) * 86400)

    def do_change(self, plan: str, interval: str = "month") -> None:
        item = self.api.subscriptions.retrieve(self._living()).items.data[0].id
        self.api.subscriptions.update(self._living(), {"items": [{"id": item, "price": self._price(plan, interval)}]})

    def do_seats(self, number: str) -> None:
        item = self.api.subscriptions.retrieve(self._living()).items.data[0].id
        self.api.subscriptions.update(self._living(), {"items": [{"id": item, "quantity": int(number)}]})

    def do_cancel(self, what: str = "now") -> None:
        if what == "later":
            self.api.subscriptions.update(self._living(), {"cancel_at_period_end": True})
        else:
            self.api.subscriptions.cancel(self._subscriptions()[0]["id"] if what == "first" else self._living())

    def do_keep(self) -> None:
        self.api.subscriptions.update(self._living(), {"cancel_at_period_end": False})

    def do_pause(self) -> None:
        self.api.subscriptions.update(self._living(), {"pause_collection": {"behavior": "void"}})

    def do_continue(self) -> None:
        self.api.subscriptions.update(self._living(), {"pause_collection": ""})

    def do_refund(self) -> None:
        self.api.refunds.create({"charge": self.api.charges.list({"customer": self.customer}).data[0].id})

    def do_forget(self) -> None:
        self.deleted_at = self.offline.now
        self.api.customers.delete(self.customer)

    def do_archive(self, plan: str) -> None:
        self.api.prices.update(self._price(plan, "month"), {"active": False})

    def _oracle(self, at: datetime) -> End:
        """The end by the words of the README, from the offline Stripe's objects: none of the library's code is used."""
        order = ("active", "trialing", "past_due", "paused", "unpaid", "canceled")
        known = [one for one in self._subscriptions() if one["status"] in order]
        if not known:
            return End(phase=_after(at, [(START, "trialing"), *_ending(START + timedelta(days=14))]), plan="starter", is_subscribed=False)
        known.sort(
            key=lambda one: (order.index(one["status"]), -one["ended_at"] if one["status"] == "canceled" else one["created"], one["id"])
        )
        main = known[0]
        by_id = {price_id: key for key, price_id in self.prices.items()}
        key = by_id[main["items"]["data"][0]["price"]["id"]]
        plan = None if key == "foreign" else key.split("_")[0]
        status, cancel_at = main["status"], main["cancel_at"]
        if status in {"active", "trialing"}:
            lines = [[(START, status)]]
        elif status == "canceled":
            lines = [_ending(_instant(main["ended_at"]))]
        elif status == "paused":
            lines = [_ending(_instant(main["trial_end"]))]
        else:
            owed = _instant(min(one["status_transitions"]["finalized_at"] for one in self._owed(main["id"])))
            lines = [[(owed, "grace"), *_ending(owed + timedelta(days=7))]]
        if cancel_at and status != "canceled":
            lines.append(_ending(_instant(cancel_at)))
        strictness = ("trialing", "active", "grace", "read_only", "suspended")
        phase = max((_after(at, line) for line in lines), key=lambda one: strictness.index(one) if one in strictness else -1)
        has_ended = status == "canceled"
        return End(
            phase=phase,
            plan=plan,
            is_subscribed=not has_ended,
            cancel_at=_instant(cancel_at) if cancel_at and not has_ended else None,
        )

    def _owed(self, subscription: str) -> list:
        return [
            one
            for one in self.offline.world.store.all("invoice")
            if one["status"] == "open" and one["parent"]["subscription_details"]["subscription"] == subscription
        ]


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _ending(at: datetime) -> list[tuple[datetime, str]]:
    return [(at, "read_only"), (at + timedelta(days=7), "suspended")]


def _after(now: datetime, line: list[tuple[datetime, str]]) -> str:
    return next((phase for at, phase in reversed(line) if at <= now), "none")


class RecordedGateway(StripeGateway):
    """The gateway with the answers that it fetched while the stories were played: each customer's is that of the step it stands at."""

    def __init__(self) -> None:
        super().__init__("sk_test_x", webhook_secrets=["whsec_old", SECRET], retries_max=0)
        self.truths: dict[str, str] = {}
        self.fetches = 0

    def fetch(self, customer: str) -> Snapshot:
        self.fetches += 1
        return from_json(json.loads(self.truths[customer]))

    def owner(self, customer: str) -> CustomerOwner:
        return CustomerOwner(account=None, token=None)


class Teller:
    """A host to whom stories are told, each in an account of its own; `told` is what its handlers were handed."""

    def __init__(self, engine: Engine, catalogue) -> None:
        self.engine, self.gateway, self.now = engine, RecordedGateway(), START
        self.billing = Billing(engine, catalogue=catalogue, gateway=self.gateway, clock=lambda: self.now)
        self.told: list[DomainEvent] = []
        for kind in (SubscriptionStarted, PeriodRenewed, PlanChanged, PhaseChanged, SubscriptionEnded):
            self.billing.on(kind, name="note")(lambda session, one: self.told.append(one))

    def open(self, recordings: list[Recording]) -> None:
        """An account with a local trial for the customer of each."""
        self.now = START
        with Session(self.engine) as session, session.begin():
            for one in recordings:
                self.billing.start_trial(session, one.customer, plan="starter", interval=Interval.month, email="a@example.org", name="A")
                session.execute(update(AccountRow).where(AccountRow.account == one.customer).values(customer=one.customer))

    def stand_at(self, recording: Recording, step: int) -> None:
        """Time and Stripe's truth are as after that step."""
        self.gateway.truths[recording.customer], self.now = recording.steps[step].truth, recording.steps[step].at

    def hear(self, payload: bytes) -> None:
        self.billing.receive(payload, sign(payload, secret=SECRET, at=self.now))

    def drain(self) -> None:
        for _ in range(100):
            if not self.billing.work(limit=1000):
                return
        raise AssertionError("work never comes to rest")

    def end_of(self, recording: Recording) -> End:
        self.now = recording.steps[-1].at
        access = self.billing.account(recording.customer).access()
        return End(phase=str(access.phase), plan=access.plan_key, is_subscribed=access.is_subscribed, cancel_at=access.cancel_at)

    def is_told_once(self) -> bool:
        keys = [one.key for one in self.told]
        return len(keys) == len(set(keys))


@pytest.fixture(scope="session")
def recordings() -> dict[str, Recording]:
    """Every story, played."""
    played = {}
    for name, story in STORIES.items():
        player = Player(CATALOGUE, seed=len(played))
        played[name] = player.play(name, story)
        player.offline.close()
    return played


@pytest.fixture
def memory() -> Iterator[Engine]:
    """A database in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def teller(memory, catalogue) -> Teller:
    return Teller(memory, catalogue)


@pytest.fixture
def make_teller(catalogue) -> Callable[[Engine], Teller]:
    return lambda engine: Teller(engine, catalogue)
