"""Replay of many events, and what is forgotten when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from roomtone_billing import Billing, Phase, RetryPolicy


def heard(host, days: int) -> None:
    """One event a day, each dealt with."""
    customer = host.customer()
    for _ in range(days):
        host.hear(customer)
        host.drain()
        host.clock.move(days=1)


def test_the_events_of_a_span_are_taken_up_and_no_others(host):
    heard(host, 4)
    now = host.clock()
    count = host.billing.upkeep.replay_between(now - timedelta(days=3), now - timedelta(days=1))
    states = [str(view.state) for view in host.billing.inbox()]

    assert (count, states) == (2, ["done", "pending", "pending", "done"])
    before = host.gateway.fetches
    host.drain()
    assert host.gateway.fetches - before == 1


def test_what_is_put_aside_or_still_pending_is_not_taken_up_by_a_span(host):
    host.billing.receive(*host.event())

    assert host.billing.upkeep.replay_between(host.clock(), host.clock() + timedelta(days=1)) == 0


def test_all_that_failed_is_taken_up_at_once(engine, catalogue, host):
    billing = Billing(engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, retry=RetryPolicy(attempts_max=1))
    for account in ("a", "b"):
        customer = host.customer(account)
        host.stripe.subscribe(customer, plan="pro")
        host.hear(customer)
    host.stripe.break_down(2)
    billing.work()
    dead = [str(view.state) for view in billing.inbox()]
    count = billing.upkeep.replay_failed()
    while billing.work():
        pass

    assert (dead, count) == (["dead", "dead"], 2)
    assert {billing.account(account).access().phase for account in ("a", "b")} == {Phase.active}


def test_events_are_forgotten_long_after_stripe_could_send_them_again(host):
    customer = host.customer()
    (old,) = host.stripe.events(customer)
    host.billing.receive(*host.signed(old))
    host.drain()
    host.clock.move(days=31)
    kept = host.billing.upkeep.forget(keep=timedelta(days=32))
    is_new = host.billing.receive(*host.signed(old)).is_new
    host.clock.move(days=2)

    assert (kept, is_new) == (0, False)
    assert host.billing.upkeep.forget(keep=timedelta(days=32)) == 1
    assert host.billing.inbox() == []


def test_what_is_pending_or_dead_is_never_forgotten(host):
    host.billing.receive(*host.event())
    host.clock.move(days=400)

    assert host.billing.upkeep.forget() == 0


def test_events_cannot_be_forgotten_while_stripe_can_send_them_again(host):
    with pytest.raises(ValueError, match="31 days"):
        host.billing.upkeep.forget(keep=timedelta(days=30))
