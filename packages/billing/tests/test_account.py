"""One account: one customer at Stripe, however many first checkouts there are at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_billing import Interval, Phase
from roomtone_billing.errors import AlreadySubscribed, GatewayUnavailable, UnknownAccount, UnknownPrice
from roomtone_billing.models import AccountRow


def checkout(host, account: str = "a") -> str:
    return host.billing.account(account).checkout(plan="pro", interval=Interval.month, success_url="http://s", cancel_url="http://c")


def open_pages(host) -> list[str]:
    return [page.url for page in host.stripe.api.checkout.sessions.list({"status": "open"}).data]


def test_first_checkouts_at_once_make_one_customer(host):
    host.start_trial()
    host.billing.publish()
    together = threading.Barrier(20)

    def go(_: int) -> str:
        together.wait()
        return checkout(host)

    with ThreadPoolExecutor(20) as pool:
        urls = set(pool.map(go, range(20)))

    with Session(host.engine) as session:
        customer = session.scalar(select(AccountRow.customer))
    assert [one.id for one in host.stripe.api.customers.list().data] == [customer]
    assert len(urls) == 20
    assert len(open_pages(host)) == 1


def test_a_second_tab_closes_the_first(host):
    host.start_trial()
    host.billing.publish()
    checkout(host)
    later = checkout(host)

    assert open_pages(host) == [later]


def test_a_first_tab_paid_while_the_second_opens_leaves_one_subscription(host):
    host.start_trial()
    host.billing.publish()
    first = checkout(host)
    create = host.gateway.create_checkout

    def pay_meanwhile(**asked):
        host.stripe.pay_at(first)
        return create(**asked)

    host.gateway.create_checkout = pay_meanwhile
    with pytest.raises(AlreadySubscribed):
        checkout(host)

    assert open_pages(host) == []
    assert len(host.stripe.api.subscriptions.list().data) == 1


def test_a_page_that_expired_by_itself_does_not_stop_another(host):
    host.start_trial()
    host.billing.publish()
    checkout(host)
    host.clock.move(days=1)
    expired = open_pages(host)
    later = checkout(host)

    assert (expired, open_pages(host)) == ([], [later])


def test_a_checkout_that_fails_after_making_the_customer_makes_no_second_one(host):
    host.start_trial()
    host.billing.publish()
    host.stripe.break_down(operation="post /v1/customers")  # it is made, and the answer is lost
    with pytest.raises(GatewayUnavailable):
        checkout(host)

    assert checkout(host) in open_pages(host)
    assert len(host.stripe.api.customers.list().data) == 1


def test_an_account_without_a_trial_can_buy(host):
    with Session(host.engine) as session, session.begin():
        is_new = [host.billing.open_account(session, "a", email="a@example.org", name="A") for _ in range(2)]
    host.billing.publish()

    assert is_new == [True, False]
    assert host.billing.account("a").access().phase is Phase.none
    assert checkout(host)


def test_an_unknown_account_has_no_phase_and_nothing_to_sync(host):
    assert host.billing.account("x").access().phase is Phase.none
    assert host.billing.account("x").invoices() == []
    with pytest.raises(UnknownAccount):
        host.billing.account("x").sync()


def test_an_account_without_a_customer_syncs_to_what_it_is(host):
    host.start_trial()

    assert host.billing.account("a").sync().phase is Phase.trialing
    assert host.gateway.fetches == 0


def test_an_interval_the_plan_is_not_sold_at_is_refused_before_anything_is_written(host, catalogue):
    with Session(host.engine) as session, pytest.raises(UnknownPrice):
        host.billing.start_trial(session, "a", plan="pro", interval="week", email="a@example.org", name="A")

    assert host.billing.account("a").access().phase is Phase.none
