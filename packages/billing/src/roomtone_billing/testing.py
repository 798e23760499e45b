# ruff: noqa: ARG002 the protocol names what a fake need not read
"""What a host's tests need: a gateway in memory whose customers do as told, and a clock that moves when told.

>>> clock = Clock()
>>> stripe = FakeGateway(clock)
>>> customer = stripe.create_customer(account="a", token="t", email="a@example.org", name="A", key="k")
>>> stripe.subscribe(customer, plan="starter", interval=Interval.month).status
<Status.active: 'active'>
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from .errors import GatewayError, GatewayRefused, GatewayUnavailable
from .gateway import CheckoutPage, CustomerOwner, PublishedPrice
from .plans import Interval
from .signature import sign
from .snapshot import Invoice, PriceRef, Snapshot, Status, Subscription

_DAYS = {Interval.month: 30, Interval.year: 365}


class Clock:
    """A clock for tests: stands still until moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it stands at."""
        return self.now

    def move(self, **parts: float) -> None:
        """Go forward: `clock.move(days=3, hours=2)`."""
        self.now += timedelta(**parts)


class FakeGateway:
    """Stripe in memory: deterministic, without time of its own; a "month" has 30 days, a "year" 365.

    `fetches` counts calls of `fetch`, `checkouts` maps the open pages to their customers; put errors into `failures` and the
    next calls raise them, one each.
    """

    livemode = False

    def __init__(self, clock: Clock, *, webhook_secrets: Sequence[str] = ("whsec_test",)) -> None:
        self.webhook_secrets = webhook_secrets
        self.fetches = 0
        self.failures: list[GatewayError] = []
        self._clock = clock
        self.checkouts: dict[str, str] = {}
        self._made: dict[str, str] = {}
        self._owners: dict[str, CustomerOwner] = {}
        self._truth: dict[str, Snapshot] = {}
        self._products: dict[str, str] = {}
        self._prices: dict[str, PublishedPrice] = {}
        self._count = 0

    # The gateway

    def fetch(self, customer: str) -> Snapshot:
        """The customer's truth; an unknown one counts as deleted, as at Stripe."""
        self.fetches += 1
        self._fail()
        return self._truth.get(customer, Snapshot(customer=customer, is_deleted=True))

    def owner(self, customer: str) -> CustomerOwner:
        """Whose customer it is; nobody's when unknown."""
        self._fail()
        return self._owners.get(customer, CustomerOwner(account=None, token=None))

    def create_customer(self, *, account: str, token: str, email: str, name: str, key: str) -> str:
        """One customer per key."""
        self._fail()
        if key not in self._made:
            customer = self._made[key] = self._id("cus")
            self._owners[customer] = CustomerOwner(account=account, token=token)
            self._truth[customer] = Snapshot(customer=customer)
        return self._made[key]

    def create_checkout(
        self, *, customer: str, account: str, price: str, success_url: str, cancel_url: str, locale: str | None, key: str
    ) -> CheckoutPage:
        """An address that leads nowhere; `subscribe` does what the customer would do there."""
        self._fail()
        checkout = self._id("cs")
        self.checkouts[checkout] = customer
        return CheckoutPage(id=checkout, url=f"https://checkout.test/{customer}/{checkout}/{price}")

    def expire_checkout(self, checkout: str) -> None:
        """Close an open page; `subscribe` has closed those of its customer."""
        self._fail()
        if self.checkouts.pop(checkout, None) is None:
            raise GatewayRefused(f"checkout {checkout} is not open")

    def create_portal(self, *, customer: str, return_url: str, locale: str | None) -> str:
        """An address that leads nowhere; the verbs below do what the customer would do there."""
        self._fail()
        return f"https://portal.test/{customer}"

    def prices(self, lookup_keys: Sequence[str]) -> list[PublishedPrice]:
        """The prices published."""
        self._fail()
        return [self._prices[key] for key in lookup_keys if key in self._prices]

    def products(self, ids: Sequence[str]) -> dict[str, str]:
        """The products published."""
        return {one: self._products[one] for one in ids if one in self._products}

    def put_product(self, *, id: str, name: str, is_new: bool) -> None:  # noqa: A002 the word of the API
        """Make or rename a product."""
        if is_new and id in self._products:
            raise GatewayRefused(f"product {id} exists", "resource_already_exists")
        self._products[id] = name

    def create_price(
        self, *, product: str, plan: str, lookup_key: str, interval: Interval, amount_minor: int, currency: str, key: str
    ) -> str:
        """Make a price; it takes the lookup key over."""
        price = PublishedPrice(
            id=self._id("price"), lookup_key=lookup_key, product=product, amount_minor=amount_minor, currency=currency, interval=interval
        )
        self._prices[lookup_key] = price
        return price.id

    # What customers, banks and time do

    def subscribe(
        self, customer: str, *, plan: str, interval: Interval, trial_days: int = 0, status: Status | None = None, amount_minor: int = 1900
    ) -> Subscription:
        """Buy a plan; trialing when there are trial days, else paid at once unless a status says otherwise."""
        now = self._clock()
        self.checkouts = {checkout: whose for checkout, whose in self.checkouts.items() if whose != customer}
        trial_end = now + timedelta(days=trial_days) if trial_days else None
        subscription = Subscription(
            id=self._id("sub"),
            status=status or (Status.trialing if trial_days else Status.active),
            created_at=now,
            price=_price(plan, interval),
            period_start=now,
            period_end=trial_end or now + timedelta(days=_DAYS[interval]),
            trial_end=trial_end,
        )
        is_paid = subscription.status in {Status.active, Status.trialing}
        self._put(customer, subscription)
        self._bill(customer, subscription, "subscription_create", 0 if trial_days else amount_minor, is_paid=is_paid)
        return subscription

    def renew(self, customer: str, subscription: str, *, is_paid: bool = True, amount_minor: int = 1900) -> Subscription:
        """Begin the next period, paid or past due."""
        old = self.subscription(customer, subscription)
        days = _DAYS[old.price.interval or Interval.month]
        new = replace(
            old,
            status=Status.active if is_paid else Status.past_due,
            period_start=old.period_end,
            period_end=old.period_end + timedelta(days=days),
        )
        self._put(customer, new)
        self._bill(customer, new, "subscription_cycle", amount_minor, is_paid=is_paid)
        return new

    def pay(self, customer: str, subscription: str) -> None:
        """Pay every open invoice of the subscription; it becomes active."""
        truth = self._truth[customer]
        paid = tuple(replace(one, status="paid") if one.subscription == subscription else one for one in truth.invoices)
        self._truth[customer] = replace(truth, invoices=paid)
        self.change(customer, subscription, status=Status.active)

    def change_plan(self, customer: str, subscription: str, *, plan: str, interval: Interval) -> Subscription:
        """Move to another price; another interval begins a new period now."""
        old = self.subscription(customer, subscription)
        new = replace(old, price=_price(plan, interval))
        if interval is not old.price.interval:
            now = self._clock()
            new = replace(new, period_start=now, period_end=now + timedelta(days=_DAYS[interval]))
        self._put(customer, new)
        return new

    def cancel(self, customer: str, subscription: str, *, at_period_end: bool = False) -> None:
        """Cancel now, or note that it ends with the period."""
        old = self.subscription(customer, subscription)
        if at_period_end:
            self._put(customer, replace(old, cancel_at=old.period_end))
        else:
            self._put(customer, replace(old, status=Status.canceled, ended_at=self._clock()))

    def change(self, customer: str, subscription: str, **fields: object) -> None:
        """Set any field of the subscription's truth."""
        # Any field may be set, so their types differ; the dataclass names them.
        self._put(customer, replace(self.subscription(customer, subscription), **fields))  # type: ignore[arg-type]

    def delete_customer(self, customer: str) -> None:
        """Delete the customer, as in Stripe's dashboard."""
        del self._truth[customer]

    def set_card(self, customer: str, card: str | None) -> None:
        """The card as `Access.card` shows it."""
        self._truth[customer] = replace(self._truth[customer], card=card)

    def subscription(self, customer: str, subscription: str) -> Subscription:
        """The subscription's truth."""
        found = self._truth[customer].subscription(subscription)
        if found is None:
            raise GatewayRefused(f"no subscription {subscription}", "resource_missing")
        return found

    def event(self, customer: str | None, kind: str = "customer.subscription.updated") -> tuple[bytes, str]:
        """A signed webhook about the customer: (body, `Stripe-Signature` header). Each call is another event."""
        thing = {"id": self._id("obj"), "object": "subscription", "customer": customer}
        body = {"id": self._id("evt"), "object": "event", "type": kind, "livemode": self.livemode, "data": {"object": thing}}
        payload = json.dumps(body).encode()
        return payload, sign(payload, secret=self.webhook_secrets[0], at=self._clock())

    def break_down(self, times: int = 1) -> None:
        """Let the next calls fail as an outage does."""
        self.failures += [GatewayUnavailable("connection refused")] * times

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    def _put(self, customer: str, subscription: Subscription) -> None:
        truth = self._truth[customer]
        others = tuple(one for one in truth.subscriptions if one.id != subscription.id)
        self._truth[customer] = replace(truth, subscriptions=(*others, subscription))

    def _bill(self, customer: str, subscription: Subscription, reason: str, amount_minor: int, *, is_paid: bool) -> None:
        truth, now = self._truth[customer], self._clock()
        invoice = Invoice(
            id=self._id("in"),
            subscription=subscription.id,
            status="paid" if is_paid else "open",
            reason=reason,
            number=f"FAKE-{self._count:04}",
            amount_minor=amount_minor,
            currency="EUR",
            created_at=max(now, subscription.period_start),
            owed_since=now,
        )
        self._truth[customer] = replace(truth, invoices=(*truth.invoices, invoice))

    def _id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count:06}"


def _price(plan: str, interval: Interval) -> PriceRef:
    return PriceRef(id=f"price_{plan}_{interval}", lookup_key=f"{plan}_{interval}", plan=plan, interval=interval)
