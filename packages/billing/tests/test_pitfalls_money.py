"""What other integrations of Stripe got wrong about amounts, keys and credits, tried here."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from roomtone_billing import Interval, PackBought, PeriodRenewed, PlanChanged, SubscriptionStarted
from roomtone_billing.errors import GatewayUnavailable, NotEntitled
from roomtone_billing.gateway import PublishedProduct
from roomtone_billing.models import AccountRow, InboxRow
from roomtone_billing.publication import diff, lookup_keys, product_ids
from roomtone_billing.snapshot import Payment, Snapshot
from roomtone_billing.stripe import translation

EXAMPLES = json.loads((Path(__file__).parent / "fixtures" / "stripe.json").read_text())
PAGES = {"success_url": "http://s", "cancel_url": "http://c"}


def test_pitfall_27_an_invoice_paid_in_several_parts_names_each_and_counts_what_went_back_of_each():
    def part(intent: object, status: str = "paid") -> dict:
        return {"status": status, "payment": {"type": "payment_intent", "payment_intent": intent}}

    parts = [part("pi_1"), part({"id": "pi_2"}), part("pi_3", "canceled")]
    invoice = translation.invoice(deepcopy(EXAMPLES["invoice"]) | {"total": 5900, "status": "paid", "payments": {"data": parts}})
    taken = (
        Payment(id="pi_1", amount_minor=3000, currency="EUR", refunded_minor=500),
        Payment(id="pi_2", amount_minor=2900, currency="EUR", refunded_minor=100),
        Payment(id="pi_4", amount_minor=2900, currency="EUR", refunded_minor=2900),
    )

    assert invoice.payments == ("pi_1", "pi_2")
    assert Snapshot(customer="c", invoices=(invoice,), payments=taken).refunded(invoice) == 600


def test_pitfall_31_events_are_stored_as_stripe_wrote_them_and_decimals_survive_the_snapshot(host):
    api = host.stripe.api
    coupon = api.coupons.create({"percent_off": 12.5, "duration": "forever"}).id
    customer = host.customer()
    card = api.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    price = api.prices.list({"lookup_keys": ["pro_month"]}).data[0].id
    api.subscriptions.create(
        {"customer": customer, "items": [{"price": price}], "default_payment_method": card, "discounts": [{"coupon": coupon}]}
    )
    host.billing.upkeep.backfill()
    account = host.billing.account("a")
    account.sync()
    with Session(host.engine) as session:
        payload = session.scalars(select(InboxRow.payload).where(InboxRow.type == "price.created")).first()
        stored = session.get_one(AccountRow, "a").snapshot

    assert json.loads(payload)["data"]["object"]["unit_amount_decimal"] in {"1900", "19000", "5900", "59000", "200", "500"}
    assert json.loads(json.dumps(stored)) == stored
    assert account.subscriptions()[0].discounts[0].percent == Decimal("12.5")


def test_pitfall_39_a_price_without_a_whole_amount_never_agrees_with_the_catalogue(host, catalogue):
    host.billing.publish()
    found = host.gateway.prices(lookup_keys(catalogue))
    tiered = [translation.published(deepcopy(EXAMPLES["price"]) | {"lookup_key": "pro_month", "unit_amount": None})]
    products = {name: PublishedProduct(name=name) for name in product_ids(catalogue)}
    changes = diff(catalogue, products=products, prices=[one for one in found if one.lookup_key != "pro_month"] + tiered)

    assert [one.lookup_key for one in changes if hasattr(one, "lookup_key")] == ["pro_month"]


def test_pitfall_41_a_key_is_not_used_again_for_other_parameters(host):
    host.start_trial()
    host.billing.publish()
    account = host.billing.account("a")
    host.stripe.break_down(operation="post /v1/customers")  # one is made, and the answer is lost
    with pytest.raises(GatewayUnavailable):
        account.checkout(plan="pro", interval=Interval.month, **PAGES)
    with Session(host.engine) as session, session.begin():
        session.execute(update(AccountRow).values(email="new@example.org"))
    account.checkout(plan="pro", interval=Interval.month, **PAGES)
    with Session(host.engine) as session:
        customer = session.get_one(AccountRow, "a").customer

    assert host.stripe.api.customers.retrieve(customer).email == "new@example.org"


def test_pitfall_50_changing_to_and_fro_in_one_period_grants_nothing_twice(host):
    account, subscription = host.subscribed(plan="starter")
    account.entitlements.consume("ai_credits", 40, key="job")
    for plan in ("pro", "starter", "pro", "starter"):
        host.stripe.change_plan(subscription, plan=plan)
        account.sync()
        host.drain()
    changes = [one for one in host.told if isinstance(one, PlanChanged)]

    assert (len(host.keys(SubscriptionStarted)), host.keys(PeriodRenewed)) == (1, [])
    assert [one.after for one in changes] == ["pro", "starter", "pro", "starter"]
    assert len({one.period_start for one in changes}) == 1
    assert (account.check("ai_credits").used, account.check("ai_credits", 11).allowed) == (40, False)


def test_pitfall_59_a_pack_granted_once_and_spent_by_fifty_at_once_never_goes_below_nothing(host):
    def grant(session: Session, event: PackBought) -> None:
        host.told.append(event)

    host.billing.on(PackBought, name="grant")(grant)
    host.subscribed(plan="starter")
    account = host.billing.account("a")
    host.stripe.pay_at(account.buy("credits-300", **PAGES))
    for _ in range(2):
        account.sync()
        host.drain()
        for event in [one for one in host.told if isinstance(one, PackBought)]:
            account.entitlements.credit("ai_credits", event.grants["ai_credits"], reason="pack", actor="billing", key=event.key)
    together = Barrier(10)

    def spend(worker: int) -> int:
        together.wait()
        return sum(_fits(account, f"{worker}-{at}") for at in range(5))

    with ThreadPoolExecutor(10) as pool:
        allowed = sum(pool.map(spend, range(10)))

    assert allowed == (50 + 300) // 10
    assert account.check("ai_credits").allowed is False


def _fits(account, key: str) -> bool:
    try:
        account.entitlements.consume("ai_credits", 10, key=key)
    except NotEntitled:
        return False
    return True
