"""What a host's tests need: its `Billing` on an offline Stripe, one clock for both, accounts in every phase, and unkind deliveries.

Needs the extra `offline`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from .access import Phase
from .account import Account
from .billing import Billing
from .errors import WebhookError
from .gateway import Gateway
from .models import AccountRow
from .offline import Chaos, OfflineStripe, post_to_app
from .plans import Interval, Plan
from .signature import sign
from .stripe import StripeGateway
from .transactions import Clock

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = "whsec_offline"  # noqa: S105 - a test's
# What comes to rest does so in a few; a handler that fails for ever never does.
_ROUNDS_MAX = 50
# An invoice of a renewal is a draft for its first hour: https://docs.stripe.com/billing/invoices/subscription#update-first-invoice
_DRAFT = timedelta(hours=1, minutes=1)
_BACK = "http://127.0.0.1/back"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A webhook on its way: the raw body, and the headers that come with it."""

    body: bytes
    headers: dict[str, str]

    @property
    def signature(self) -> str:
        """The second argument of `Billing.receive`."""
        return self.headers["Stripe-Signature"]

    def forged(self) -> Delivery:
        """The same with another body under its signature: nobody may accept it."""
        return replace(self, body=self.body + b" ")


class OfflineBilling:
    """A host's `Billing` on a Stripe of its own. Use it as a context manager; safe in one thread.

    Time stands still until `advance` moves it, for billing and Stripe alike. A webhook stays with Stripe's courier until `settle` or
    `advance` brings it, to `Billing.receive` or, after `deliver_to`, to your application's own route. Accounts are made in a phase by
    what customers, banks and time do, and never by writing rows; late phases therefore move the clock, for all accounts.

    Args:
        make: your way of making a `Billing`, with your catalogue and handlers, of this gateway and clock.
        chaos: how unkind deliveries are; default each comes once and in order.
        start: what the clock says at first.
    Attributes:
        billing: what `make` made, with its catalogue published.
        stripe: the offline Stripe; `stripe.client()` is the SDK on it.
    """

    def __init__(self, make: Callable[[Gateway, Clock], Billing], *, chaos: Chaos | None = None, start: datetime = START) -> None:
        self.stripe = OfflineStripe(
            clock=lambda: start, webhook_url=_BACK, webhook_secret=SECRET, post=self._post, chaos=chaos, validate=True
        )
        gateway = StripeGateway("sk_test_offline", webhook_secrets=[SECRET], http_client=self.stripe.http_client(), retries_max=0)
        self._bring = self._receive
        self._taken: list[Delivery] | None = None
        self._events = count(1)
        self.billing = make(gateway, self.clock)
        self.billing.publish()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the offline Stripe."""
        self.stripe.close()

    def clock(self) -> datetime:
        """The one time of billing and Stripe."""
        return self.stripe.now

    def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> datetime:
        """Move the clock, let Stripe do what falls due, and settle; returns the new time."""
        self.stripe.advance(timedelta(days=days, hours=hours, seconds=seconds).total_seconds())
        self.settle()
        self.billing.sweep()
        self.settle()
        return self.clock()

    def settle(self) -> None:
        """Bring the webhooks that are due, and work until nothing is left to do.

        Raises:
            AssertionError: it never comes to rest.
        """
        for _ in range(_ROUNDS_MAX):
            if not self.stripe.deliver() + self.billing.work():
                return
        raise AssertionError(f"after {_ROUNDS_MAX} rounds there is still something to do; see billing.inbox() and billing.outbox()")

    def deliver_to(self, app: WSGIApplication, path: str = "/stripe/webhook") -> None:
        """From now on webhooks go to your application's route at that path, in this process."""
        post = post_to_app(app)
        self._bring = lambda delivery: post(f"http://127.0.0.1{path}", delivery.body, delivery.headers)

    def take(self) -> list[Delivery]:
        """The webhooks that are due, as the courier would bring them: yours to bring, late, twice or never."""
        taken: list[Delivery] = []
        self._taken = taken
        try:
            self.stripe.deliver()
        finally:
            self._taken = None
        return taken

    def event(self, kind: str, account: str = "a", *, livemode: bool = False) -> Delivery:
        """A signed event that Stripe never sent, about the account's customer. Billing will ask what is true, and believe that."""
        customer = self._customer(account)
        thing = {"object": "customer", "id": customer} if kind.startswith("customer.") else {"object": "thing", "customer": customer}
        body = {"id": f"evt_test_{next(self._events)}", "object": "event", "type": kind, "livemode": livemode, "data": {"object": thing}}
        payload = json.dumps(body).encode()
        return Delivery(body=payload, headers={"Stripe-Signature": sign(payload, secret=SECRET, at=self.clock())})

    def pay(self, page: str, card: str = "4242424242424242") -> None:
        """What a customer does at a checkout page; Stripe's numbers for tests decline, dispute or ask for more."""
        typed = {"number": card, "expiry": "12 / 40", "cvc": "123", "name": "A", "email": "a@example.org"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        post_to_app(self.stripe.wsgi_app)(page, urlencode(typed).encode(), headers)

    def opened(self, account: str = "a") -> Account:
        """An account that billing knows, without a plan."""
        with Session(self.billing.engine) as session, session.begin():
            self.billing.open_account(session, account, email=f"{account}@example.org", name=account)
        return self.billing.account(account)

    def trialing(self, account: str = "a", *, plan: str | None = None, interval: Interval | None = None) -> Account:
        """An account in its trial, of a plan that has one."""
        chosen, every = self._offer(plan, interval)
        with Session(self.billing.engine) as session, session.begin():
            self.billing.start_trial(session, account, plan=chosen.key, interval=every, email=f"{account}@example.org", name=account)
        return self._found(account, Phase.trialing)

    def active(self, account: str = "a", *, plan: str | None = None, interval: Interval | None = None) -> Account:
        """An account that has just paid its first period at the checkout."""
        chosen, every = self._offer(plan, interval)
        page = self.opened(account).checkout(plan=chosen.key, interval=every, success_url=_BACK, cancel_url=_BACK)
        self.pay(page)
        self.billing.account(account).sync()
        return self._found(account, Phase.active)

    def in_grace(self, account: str = "a", *, plan: str | None = None, interval: Interval | None = None) -> Account:
        """An account whose first renewal could not be collected; its card declines from then on, until `accept_card`."""
        made = self.active(account, plan=plan, interval=interval)
        self.stripe.decline(self._customer(account))
        (view,) = made.subscriptions()
        self.advance(seconds=(view.period_end + _DRAFT - self.clock()).total_seconds())
        return self._found(account, Phase.grace)

    def read_only(self, account: str = "a", *, plan: str | None = None, interval: Interval | None = None) -> Account:
        """An account that did not pay within grace."""
        self.in_grace(account, plan=plan, interval=interval)
        return self._overdue(account, Phase.read_only)

    def suspended(self, account: str = "a", *, plan: str | None = None, interval: Interval | None = None) -> Account:
        """An account that was suspended for its debts; paying reopens it."""
        self.read_only(account, plan=plan, interval=interval)
        return self._overdue(account, Phase.suspended)

    def ended(self, account: str = "a", *, plan: str | None = None, interval: Interval | None = None) -> Account:
        """An account that never paid, until its end."""
        self.suspended(account, plan=plan, interval=interval)
        return self._overdue(account, Phase.ended)

    def cancelled(self, account: str = "a", *, plan: str | None = None, interval: Interval | None = None) -> Account:
        """An account that cancelled with immediate effect: it reads only, and may subscribe again."""
        self.active(account, plan=plan, interval=interval).cancel(at="now")
        return self._found(account, Phase.read_only)

    def in_phase(self, phase: Phase, account: str = "a") -> Account:
        """An account in that phase, by the way that most come to it; for tests that try them all."""
        way = {
            Phase.none: self.opened,
            Phase.trialing: self.trialing,
            Phase.active: self.active,
            Phase.grace: self.in_grace,
            Phase.read_only: self.read_only,
            Phase.suspended: self.suspended,
            Phase.ended: self.ended,
        }
        return way[phase](account)

    def accept_card(self, account: str = "a") -> Account:
        """Let the account's card work again, and collect what is owed."""
        self.stripe.decline(self._customer(account), declining=False)
        made = self.billing.account(account)
        made.retry_payments()
        self.settle()
        return made

    def assert_in_step(self) -> None:
        """Fail unless all that is stored is as at Stripe, nothing was put aside, and every invariant holds.

        With deliveries that are lost or late, `advance` by four days first: Stripe tries for three.
        """
        self.settle()
        upkeep = self.billing.upkeep
        problems = [f"{one.account}: {field}" for one in upkeep.reconcile(calls_per_s=1e6).drifts for field in one.differences]
        # A host whose tests register no handler leaves its domain events where they are.
        violations = [one for one in upkeep.violations() if one.invariant != "events are handed out"]
        problems += [f"{one.invariant}: {one.subject} {one.detail}" for one in violations]
        assert not problems, "\n".join(problems)

    def _overdue(self, account: str, phase: Phase) -> Account:
        until = self.billing.account(account).access().until
        if until is None:
            raise AssertionError(f"the grace policy of this billing lets nobody become {phase}")
        self.advance(seconds=(until - self.clock()).total_seconds())
        return self._found(account, phase)

    def _found(self, account: str, phase: Phase) -> Account:
        self.settle()
        made = self.billing.account(account)
        found = made.access().phase
        assert found is phase, (
            f"{account} is {found} and not {phase}: the grace policy, the plan's trial or what was done before leads elsewhere"
        )
        return made

    def _offer(self, plan: str | None, interval: Interval | None) -> tuple[Plan, Interval]:
        catalogue = self.billing.catalogue
        chosen = catalogue.plan_on_sale(plan) if plan else next(one for one in catalogue.plans if not one.is_archived)
        return chosen, interval or chosen.prices[0].interval

    def _customer(self, account: str) -> str:
        with Session(self.billing.engine) as session:
            found = session.get_one(AccountRow, account).customer
        assert found is not None, f"{account} has never been to the checkout: make it with one of the verbs of this object"
        return found

    def _post(self, _url: str, body: bytes, headers: dict[str, str]) -> int:
        delivery = Delivery(body=body, headers=headers)
        if self._taken is not None:
            self._taken.append(delivery)
            return 200
        return self._bring(delivery)

    def _receive(self, delivery: Delivery) -> int:
        try:
            self.billing.receive(delivery.body, delivery.signature)
        except WebhookError:
            return 400
        return 200
