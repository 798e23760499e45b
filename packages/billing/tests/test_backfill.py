"""Gaps are filled from Stripe's own events: whatever never came, comes."""

from __future__ import annotations

import pytest

from roomtone_billing import PeriodRenewed, Phase
from roomtone_billing.errors import GatewayUnavailable


def fill(host, **settings):
    done = host.billing.upkeep.backfill(calls_per_s=10**6, **settings)
    host.drain()
    return done


def test_three_days_without_a_webhook_end_in_the_same_state(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()
    fill(host)
    host.stripe.change_plan(subscription, plan="starter")
    host.clock.move(days=3)
    host.stripe.renew(subscription)
    done = fill(host)

    assert done.missing > 0
    assert done.gap_from <= done.gap_until <= host.clock()
    assert host.billing.account("a").access().plan_key == "starter"
    assert len(host.keys(PeriodRenewed)) == 1
    assert fill(host).missing == 0


def test_a_webhook_that_comes_after_all_is_the_same_event(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    fill(host)
    receipts = [host.billing.receive(*host.signed(payload)) for payload in host.stripe.events(customer, 5)]

    assert {receipt.is_new for receipt in receipts} == {False}


def test_a_run_stops_at_its_bound_and_the_next_goes_on(host):
    customer = host.customer()
    for number in range(230):
        host.stripe.api.customers.update(customer, {"metadata": {"number": str(number)}})
    first, second, third = fill(host, pages_max=1), fill(host, pages_max=1), fill(host, pages_max=9)
    for number in range(130):
        host.stripe.api.customers.update(customer, {"metadata": {"later": str(number)}})
    upwards = [fill(host, pages_max=1), fill(host, pages_max=1), fill(host, pages_max=1)]

    assert [one.is_complete for one in (first, second, third)] == [False, False, True]
    assert first.compared + second.compared + third.compared >= 230
    assert [one.compared for one in upwards] == [100, 30, 0]
    assert [one.is_complete for one in upwards] == [False, True, True]


def test_a_run_that_fails_keeps_what_it_compared(host):
    customer = host.customer()
    for number in range(150):
        host.stripe.api.customers.update(customer, {"metadata": {"number": str(number)}})
    fill(host, pages_max=1)
    host.stripe.break_down(operation="get /v1/events")
    with pytest.raises(GatewayUnavailable):
        fill(host)

    assert fill(host).compared < 100


def test_after_more_than_a_month_of_silence_it_begins_again_where_stripe_does(host):
    customer = host.customer()
    fill(host)
    host.clock.move(days=40)
    host.stripe.subscribe(customer, plan="pro")
    done = fill(host)

    assert done.is_complete
    assert host.billing.account("a").access().phase is Phase.active


def test_a_span_can_be_compared_again(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    fill(host)
    again = fill(host, since=host.clock())

    assert again.compared > 0
    assert again.missing == 0
