"""What other integrations of Stripe got wrong about webhooks, tried here. docs/billing/pitfalls.md lists them all."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from roomtone_billing import Billing, Interval, PeriodRenewed, Phase, PhaseChanged, SubscriptionEnded, SubscriptionStarted
from roomtone_billing.envelope import parse
from roomtone_billing.errors import GatewayUnavailable
from roomtone_billing.flask import blueprint
from roomtone_billing.offline import Chaos, OfflineStripe
from roomtone_billing.stripe import StripeGateway


def kind(payload: bytes) -> str:
    return json.loads(payload)["type"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_events_of_one_second_end_in_the_last_state_whatever_their_order(host, order):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="starter")
    host.stripe.change_plan(subscription, plan="pro")
    host.stripe.change_plan(subscription, plan="starter")
    host.stripe.change_plan(subscription, plan="pro")
    updates = [one for one in host.stripe.events(customer, 9) if kind(one) == "customer.subscription.updated"]
    for at in order:
        host.billing.receive(*host.signed(updates[at]))
        host.drain()

    assert len({json.loads(one)["created"] for one in updates}) == 1
    assert host.billing.account("a").access().plan_key == "pro"


def test_the_events_of_one_payment_are_one_effect(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    events = host.stripe.events(customer, 10)
    for payload in events:
        host.billing.receive(*host.signed(payload))
        host.drain()

    kinds = {kind(one) for one in events}
    assert {"invoice.paid", "invoice.payment_succeeded", "charge.succeeded"} <= kinds
    assert len(host.keys(SubscriptionStarted)) == 1


def test_an_event_that_cannot_be_stored_is_not_acknowledged(host, tmp_path):
    empty = create_engine(f"sqlite:///{tmp_path}/no-tables.db")
    app = Flask(__name__)
    app.register_blueprint(blueprint(Billing(empty, catalogue=host.billing.catalogue, gateway=host.gateway, clock=host.clock)))
    payload, header = host.event()
    answer = app.test_client().post("/stripe/webhook", data=payload, headers={"Stripe-Signature": header})
    empty.dispose()

    assert answer.status_code == 503


def test_webhooks_that_come_before_our_own_call_returns_lose_nothing_and_adopt_the_customer(engine, catalogue, host):
    arrived = []

    def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        arrived.append(kind(body))
        billing.receive(body, headers["Stripe-Signature"])
        billing.work()
        return 200

    offline = OfflineStripe(clock=host.clock, webhook_url="http://127.0.0.1/hook", post=post, chaos=Chaos(early=1.0))
    gateway = StripeGateway("sk_test_offline", webhook_secrets=["whsec_offline"], http_client=offline.http_client())
    billing = Billing(engine, catalogue=catalogue, gateway=gateway, clock=host.clock)
    billing.publish()
    with Session(engine) as session, session.begin():
        billing.open_account(session, "early", email="e@example.org", name="E")
    pages = [
        billing.account("early").checkout(plan="pro", interval=Interval.month, success_url="http://s", cancel_url="http://c")
        for _ in range(2)
    ]
    offline.deliver()
    while billing.work():
        pass
    customers = offline.client().v1.customers.list({}).data
    states = {view.type: (view.state, view.account) for view in billing.inbox()}
    offline.close()

    assert arrived.index("customer.created") < arrived.index("checkout.session.expired")
    assert (len(pages), len(customers)) == (2, 1)
    assert states["customer.created"] == ("done", "early")


@pytest.mark.parametrize("ending", ["past_due", "unpaid", "deleted"])
def test_late_news_of_an_old_subscription_does_not_touch_the_new_one(host, ending):
    customer = host.customer()
    old = host.stripe.subscribe(customer, plan="starter")
    host.billing.account("a").sync()
    if ending == "deleted":
        host.stripe.cancel(old)
    else:
        host.stripe.renew(old, is_paid=False)
        host.clock.move(days=20 if ending == "unpaid" else 0)
    late = host.stripe.events(customer, 3)
    host.stripe.subscribe(customer, plan="pro")
    host.billing.account("a").sync()
    for payload in late:
        host.billing.receive(*host.signed(payload))
        host.drain()

    access = host.billing.account("a").access()
    assert (access.phase, access.plan_key) == (Phase.active, "pro")


@pytest.mark.parametrize("type_", ["customer.something.new", "invoice.upcoming"])
def test_a_type_nobody_knows_and_an_object_without_an_id_are_hints_like_any_other(host, type_):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    body = {"id": "evt_new", "type": type_, "livemode": False, "data": {"object": {"object": "invoice", "customer": customer}}}
    host.billing.receive(*host.signed(json.dumps(body).encode()))
    host.drain()

    assert host.billing.account("a").access().phase is Phase.active


def test_a_price_archived_between_event_and_fetch_still_names_its_plan(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    item = host.stripe.api.subscriptions.retrieve(subscription).items.data[0]
    (payload,) = host.stripe.events(customer)
    host.stripe.api.prices.update(item.price.id, {"active": False})
    host.stripe.api.products.update(item.price.product, {"active": False})
    host.billing.receive(*host.signed(payload))
    host.drain()

    assert host.billing.account("a").access().plan_key == "pro"


def test_a_customer_gone_between_event_and_fetch_has_nothing_and_blocks_nothing(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.stripe.api.customers.delete(customer)
    host.drain()

    assert {view.state for view in host.billing.inbox()} == {"done"}
    assert not host.billing.account("a").access().is_subscribed


def test_replaying_an_event_of_a_month_ago_cannot_turn_anything_back(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()
    first = host.billing.inbox()[0].event_id
    host.clock.move(days=29)
    host.stripe.cancel(subscription)
    host.hear(customer)
    host.drain()
    told = host.keys()
    host.billing.replay(first)
    host.drain()

    assert host.billing.account("a").access().phase is Phase.read_only
    assert host.keys() == told


def test_an_account_whose_truth_breaks_our_own_code_is_put_aside_and_others_go_on(host, monkeypatch):
    first, second = host.customer("a"), host.customer("b")
    for customer in (first, second):
        host.stripe.subscribe(customer, plan="pro")
        host.hear(customer)
    honest = host.gateway.fetch
    monkeypatch.setattr(host.gateway, "fetch", lambda customer: honest(customer) if customer == second else {}["no such field"])
    host.drain()

    assert host.billing.account("b").access().phase is Phase.active
    assert next(view.error for view in host.billing.inbox() if view.account == "a").startswith("KeyError")


def test_storing_an_event_is_one_statement_and_no_call(host):
    payload, header = host.event()
    statements: list[str] = []

    def note(*call: object) -> None:
        statements.append(str(call[2]))

    event.listen(host.engine, "before_cursor_execute", note)
    before = host.gateway.fetches
    host.billing.receive(payload, header)
    event.remove(host.engine, "before_cursor_execute", note)

    assert [one.split()[0] for one in statements] == ["INSERT"]
    assert host.gateway.fetches == before


def test_a_failure_of_stripe_in_every_call_of_a_fetch_loses_nothing(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    for operation in ("get /v1/customers/.*", "get /v1/subscriptions", "get /v1/invoices"):
        for fault in ("rate_limit", "server_error", "timeout"):
            host.stripe.offline.fail_next(fault, operation=operation)
            with pytest.raises(GatewayUnavailable):
                host.billing.account("a").sync()
    host.clock.move(hours=2)
    host.drain()

    assert host.billing.account("a").access().phase is Phase.active
    assert Counter(type(one) for one in host.told)[SubscriptionStarted] == 1


def test_the_same_event_stored_again_after_its_effects_has_none(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    (payload,) = host.stripe.events(customer)
    host.billing.receive(*host.signed(payload))
    host.drain()
    host.stripe.cancel(subscription)
    receipt = host.billing.receive(*host.signed(payload))
    host.drain()
    told = [one for one in host.told if not isinstance(one, PhaseChanged)]
    with host.engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM billing_inbox WHERE event_id = :id"), {"id": receipt.event_id}).scalar()

    assert (receipt.is_new, count, parse(payload).event_id) == (False, 1, receipt.event_id)
    assert not [one for one in told if isinstance(one, SubscriptionEnded | PeriodRenewed)]
