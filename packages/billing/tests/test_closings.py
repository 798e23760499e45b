"""Closing an account is written down with the host's own deletion and goes on until Stripe confirms it, whoever dies on the way."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from roomtone_billing import AccountClosed, Interval, Phase, SubscriptionEnded
from roomtone_billing.errors import AccountIsClosing
from roomtone_billing.models import ClosingRow

PAGES = {"success_url": "http://s", "cancel_url": "http://c"}


class Killed(BaseException):
    """The process is gone: nothing catches it."""


@pytest.fixture
def tenant(host):
    """A host whose account `a` has a subscription and an open page that sells a pack."""
    host.billing.on(AccountClosed)(lambda session, event: host.told.append(event))
    host.stripe.subscribe(host.customer(), plan="pro")
    host.billing.account("a").buy("credits-100", **PAGES)
    host.billing.account("a").sync()
    host.drain()
    return host


def close(host, **asked) -> bool:
    with Session(host.engine) as session, session.begin():
        return host.billing.close_account(session, "a", **asked)


def alive(host) -> int:
    api = host.stripe.api
    return len(api.subscriptions.list().data) + len(api.checkout.sessions.list({"status": "open"}).data)


def test_everything_alive_ends_and_the_host_is_told_once(tenant):
    asked = [close(tenant), close(tenant)]
    tenant.drain()

    assert asked == [True, False]
    assert alive(tenant) == 0
    assert tenant.keys(AccountClosed) == ["closed:a"]
    assert len(tenant.keys(SubscriptionEnded)) == 1
    assert tenant.billing.account("a").access().phase is Phase.read_only


def test_nothing_happens_when_the_hosts_own_deletion_is_rolled_back(tenant):
    with Session(tenant.engine) as session:
        tenant.billing.close_account(session, "a")
        session.rollback()
    tenant.drain()

    assert alive(tenant) > 1
    assert tenant.keys(AccountClosed) == []


def test_a_closed_account_buys_nothing_more(tenant):
    close(tenant)
    with pytest.raises(AccountIsClosing):
        tenant.billing.account("a").buy("credits-100", **PAGES)
    with pytest.raises(AccountIsClosing):
        tenant.billing.account("a").checkout(plan="pro", interval=Interval.month, **PAGES)


@pytest.mark.parametrize("deletes", [False, True])
def test_the_customer_is_kept_or_deleted_as_asked(tenant, deletes):
    close(tenant, deletes_customer=deletes)
    tenant.drain()

    assert len(tenant.stripe.api.customers.list().data) == (0 if deletes else 1)
    assert tenant.keys(AccountClosed) == ["closed:a"]


def test_a_page_paid_in_the_last_moment_leaves_no_subscription(host):
    host.billing.on(AccountClosed)(lambda session, event: host.told.append(event))
    host.customer()
    page = host.billing.account("a").checkout(plan="pro", interval=Interval.month, **PAGES)
    expire = host.gateway.expire_checkout

    def paid_first(checkout: str) -> None:
        host.stripe.pay_at(page)
        expire(checkout)

    host.gateway.expire_checkout = paid_first
    close(host)
    host.drain()

    assert alive(host) == 0
    assert host.keys(AccountClosed) == ["closed:a"]


def test_an_outage_delays_it_and_never_ends_it(tenant):
    close(tenant)
    for _ in range(20):
        tenant.stripe.break_down(operation="get /v1/checkout/sessions")
        tenant.billing.work()
        tenant.clock.move(hours=2)
    with Session(tenant.engine) as session:
        noted = session.get_one(ClosingRow, "a")
    tenant.drain()

    assert noted.closed_at is None
    assert "GatewayUnavailable" in noted.error
    assert alive(tenant) == 0
    assert tenant.keys(AccountClosed) == ["closed:a"]


@pytest.mark.parametrize("call", ["expire_checkout", "end_subscription", "delete_customer", "fetch"])
def test_killed_after_any_step_the_next_worker_goes_on(tenant, call):
    close(tenant, deletes_customer=True)
    real = getattr(tenant.gateway, call)

    def dying(*given, **named):
        real(*given, **named)
        setattr(tenant.gateway, call, real)
        raise Killed

    setattr(tenant.gateway, call, dying)
    with pytest.raises(Killed):
        tenant.drain()
    tenant.drain()

    assert alive(tenant) == 0
    assert tenant.keys(AccountClosed) == ["closed:a"]


def test_an_account_that_never_was_at_the_checkout_is_closed_without_a_call(host):
    host.billing.on(AccountClosed)(lambda session, event: host.told.append(event))
    host.start_trial()
    close(host)
    host.drain()

    assert host.keys(AccountClosed) == ["closed:a"]
    assert host.gateway.fetches == 0
