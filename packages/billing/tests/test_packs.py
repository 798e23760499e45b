"""Packs are sold at the offline Stripe and told of exactly once by payment, whoever hears of it first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session
from werkzeug.test import Client

from roomtone_billing import Billing, PackBought, PackRefunded, Phase
from roomtone_billing.errors import GatewayUnavailable, NotPublished, UnknownAccount, UnknownPack
from roomtone_billing.models import InboxRow

ARRIVES, COMES_BACK = "DE89370400440532013000", "DE62370400440532013001"
DAYS_OF_A_DEBIT = 6


@pytest.fixture
def shop(host):
    """A host whose account `a` is known and whose catalogue is published."""
    with Session(host.engine) as session, session.begin():
        host.billing.open_account(session, "a", email="a@example.org", name="A")
    host.billing.publish()
    return host


def page(host, pack: str = "credits-300", account: str = "a", **asked) -> str:
    return host.billing.account(account).buy(pack, success_url="http://s", cancel_url="http://c", **asked)


def settle(host) -> None:
    """Let every event of Stripe arrive that was not lost, and come to rest."""
    for body in host.stripe.take():
        host.billing.receive(*host.signed(body))
    host.drain()


def payment(host) -> str:
    return host.stripe.api.payment_intents.list().data[0].id


def sold(host, kind=PackBought) -> list[tuple[str, int]]:
    return [(event.pack_key, event.grants["ai_credits"]) for event in host.told if isinstance(event, kind)]


def test_a_pack_paid_is_told_of_once_by_its_webhooks(shop):
    shop.stripe.pay_at(page(shop))
    settle(shop)

    assert sold(shop) == [("credits-300", 300)]
    assert shop.billing.account("a").access().phase is Phase.none


def test_redirect_and_webhooks_at_once_tell_of_it_once(shop):
    shop.stripe.pay_at(page(shop))
    news = [shop.signed(body) for body in shop.stripe.take()]
    together = threading.Barrier(4)

    def hear(at: int) -> None:
        together.wait()
        if at == 0:
            shop.billing.account("a").sync()
        for one in news:
            shop.billing.receive(*one)
        shop.billing.work()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hear, range(4)))
    shop.drain()

    assert sold(shop) == [("credits-300", 300)]


def test_a_payment_whose_webhooks_were_lost_is_found_by_the_next_fetch_and_by_a_replay(shop):
    shop.stripe.pay_at(page(shop))
    lost = shop.stripe.take()
    shop.billing.account("a").sync()
    shop.drain()
    before = sold(shop)
    for body in lost:
        shop.billing.receive(*shop.signed(body))
    shop.drain()
    with Session(shop.engine) as session, session.begin():
        session.execute(update(InboxRow).values(state="pending"))
    shop.drain()

    assert before == sold(shop) == [("credits-300", 300)]


def test_each_payment_is_a_pack_of_its_own(shop):
    first, second = page(shop), page(shop, "credits-100")
    shop.stripe.pay_at(second)
    shop.stripe.pay_at(first)
    settle(shop)

    assert sorted(sold(shop)) == [("credits-100", 100), ("credits-300", 300)]
    assert len(set(shop.keys(PackBought))) == 2


def test_a_page_left_unpaid_or_expired_tells_of_nothing(shop):
    page(shop)
    shop.clock.move(days=2)
    settle(shop)
    shop.billing.account("a").sync()

    assert sold(shop) == []


def test_a_bank_debit_counts_when_it_has_arrived(shop):
    shop.stripe.pay_at(page(shop, payment_methods=["card", "sepa_debit"]), ARRIVES)
    settle(shop)
    before = sold(shop)
    shop.clock.move(days=DAYS_OF_A_DEBIT)
    settle(shop)

    assert before == []
    assert sold(shop) == [("credits-300", 300)]


def test_a_bank_debit_that_comes_back_never_counts(shop):
    shop.stripe.pay_at(page(shop, payment_methods=["sepa_debit"]), COMES_BACK)
    shop.clock.move(days=DAYS_OF_A_DEBIT)
    settle(shop)
    shop.billing.account("a").sync()
    shop.drain()

    assert sold(shop) == []


def test_whom_a_payment_is_for_is_its_customer_and_nothing_a_link_can_say(shop):
    offer = {
        "mode": "payment",
        "client_reference_id": "a",
        "line_items": [{"price": shop.stripe.api.prices.list({"lookup_keys": ["credits-300_once"]}).data[0].id, "quantity": 1}],
        "success_url": "http://s",
        "metadata": {"account": "a", "pack": "credits-300", "grants": '{"ai_credits": 300}'},
    }
    page(shop)  # so that the account has a customer
    for more in ({"customer_email": "mallory@example.org"}, {"customer": shop.stripe.stranger()}):
        shop.stripe.pay_at(shop.stripe.api.checkout.sessions.create({**offer, **more}).url)
    settle(shop)
    shop.billing.account("a").sync()
    shop.drain()

    assert sold(shop) == []


@pytest.mark.parametrize(
    "code",
    [
        {"max_redemptions": 1},
        {"expires_at": "past"},
        {"restrictions": {"minimum_amount": 600, "minimum_amount_currency": "eur"}},
        {"restrictions": {"first_time_transaction": True}},
        {"active": False},
    ],
    ids=["used up", "expired", "below its minimum", "first purchase only", "switched off"],
)
def test_a_promotion_code_that_cannot_be_redeemed_leaves_the_full_price(shop, code):
    api = shop.stripe.api
    shop.stripe.pay_at(page(shop, "credits-100"))
    coupon = api.coupons.create({"percent_off": 50, "duration": "once"})
    if code.get("expires_at"):
        code = {"expires_at": int(shop.clock().timestamp()) + 3600}
    api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF", **code})
    if "max_redemptions" in code:
        used = page(shop, "credits-100", allow_promotion_codes=True)
        type_code(shop, used)
        shop.stripe.pay_at(used)
    shop.clock.move(hours=2)
    offered = page(shop, allow_promotion_codes=True)
    answer = type_code(shop, offered)
    shop.stripe.pay_at(offered)
    settle(shop)

    assert answer == 422
    assert [event.amount_minor for event in shop.told if event.key in shop.keys(PackBought) and event.pack_key == "credits-300"] == [500]


def type_code(shop, url: str) -> int:
    path = url.removeprefix("http://127.0.0.1:4242")
    return Client(shop.stripe.offline.wsgi_app).post(f"{path}/code", data={"code": "HALF"}).status_code


def test_a_pack_that_a_code_makes_free_is_told_of_too(shop):
    coupon = shop.stripe.api.coupons.create({"percent_off": 100, "duration": "once"})
    shop.stripe.api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF"})
    offered = page(shop, allow_promotion_codes=True)
    assert type_code(shop, offered) == 303
    shop.stripe.pay_at(offered)
    settle(shop)

    assert [(event.amount_minor, event.grants) for event in shop.told if isinstance(event, PackBought)] == [(0, {"ai_credits": 300})]


def test_refunds_take_back_their_share_once_each(shop):
    shop.stripe.pay_at(page(shop))
    settle(shop)
    paid = payment(shop)
    shop.stripe.api.refunds.create({"payment_intent": paid, "amount": 200})
    settle(shop)
    settle(shop)
    shop.stripe.api.refunds.create({"payment_intent": paid})
    settle(shop)

    assert sold(shop, PackRefunded) == [("credits-300", 120), ("credits-300", 180)]
    assert [event.is_full for event in shop.told if isinstance(event, PackRefunded)] == [False, True]


def test_what_was_sold_is_granted_though_the_catalogue_has_changed_since(shop):
    offered = page(shop)
    shop.billing = Billing(shop.engine, catalogue=replace(shop.billing.catalogue, packs=()), gateway=shop.gateway, clock=shop.clock)
    shop.billing.on(PackBought)(lambda session, event: shop.told.append(event))
    shop.stripe.pay_at(offered)
    settle(shop)

    assert sold(shop) == [("credits-300", 300)]


def test_what_cannot_be_sold_is_refused_with_its_reason(host):
    host.start_trial()
    with pytest.raises(UnknownPack, match="credits-100, credits-300"):
        page(host, "gold")
    with pytest.raises(UnknownAccount):
        page(host, account="nobody")
    with pytest.raises(NotPublished, match="credits-300_once"):
        page(host)
    host.billing.publish()
    host.stripe.break_down(operation="post /v1/checkout/sessions")
    with pytest.raises(GatewayUnavailable):
        page(host)
