"""Seats follow members, also when many join at once, and never go below them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from roomtone_billing import Billing
from roomtone_billing.errors import ChangeRefused, LimitsExceeded


class Members:
    """The members of one account; `join` counts them one more and tells billing."""

    def __init__(self, count: int = 1) -> None:
        self.count, self._lock = count, Lock()

    def __call__(self, account: str) -> int:
        return self.count

    def join(self, account) -> None:
        with self._lock:
            self.count += 1
        account.follow_seats()


@pytest.fixture
def members() -> Members:
    return Members()


@pytest.fixture
def account(host, catalogue, members):
    host.subscribed()
    return Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, seats_of=members).account("a")


def test_seats_that_are_set_are_billed_with_the_next_invoice(host, account):
    subscription = account.subscriptions()[0].id
    account.set_seats(3)
    assert account.subscriptions()[0].seats == 3
    host.stripe.renew(subscription)

    assert host.stripe.api.invoices.list({"subscription": subscription}).data[0].total > 3 * 1900


def test_ten_who_join_at_once_have_ten_seats_more(account, members):
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(members.join, [account] * 10))

    assert account.subscriptions()[0].seats == 11


def test_seats_that_agree_cost_no_call(host, account):
    before = host.gateway.fetches
    host.stripe.break_down()

    assert (account.follow_seats(), host.gateway.fetches) == (1, before)


def test_seats_never_go_below_the_members(account, members):
    members.count = 4
    account.follow_seats()

    with pytest.raises(LimitsExceeded, match="4 used, 3 allowed"):
        account.set_seats(3)
    with pytest.raises(ValueError, match="at least one"):
        account.set_seats(0)
    assert account.preview_change("pro", seats=3).obstacles[0].limit == "seats"


def test_a_pending_downgrade_keeps_seats_that_change_meanwhile(host, catalogue, members):
    _, subscription = host.subscribed(plan="pro")
    account = Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, seats_of=members).account("a")
    account.confirm(account.preview_change("starter").token)
    members.count = 5
    account.follow_seats()

    pending = account.pending_change()
    assert (account.subscriptions()[0].seats, pending.plan_key, pending.seats) == (5, "starter", 5)
    host.stripe.renew(subscription)
    account.sync()
    assert (account.access().plan_key, account.subscriptions()[0].seats) == ("starter", 5)


def test_without_a_subscription_there_is_nothing_to_follow(host, catalogue, members):
    host.start_trial("b")
    billing = Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, seats_of=members)

    assert billing.account("b").follow_seats() is None
    with pytest.raises(ChangeRefused, match="seats_of"):
        host.billing.account("b").follow_seats()


def test_the_checkout_sells_as_many_seats_as_there_are_members(host, catalogue, members):
    host.customer("b")
    members.count = 3
    billing = Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, seats_of=members)
    host.stripe.pay_at(billing.account("b").checkout(plan="pro", interval="month", success_url="http://s", cancel_url="http://c"))
    billing.account("b").sync()

    assert billing.account("b").subscriptions()[0].seats == 3
