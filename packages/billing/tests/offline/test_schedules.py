"""Schedules whose phases sell something else: another interval, other items, and what was used before."""

import pytest

DAY = 86400


@pytest.fixture
def by_use(sandbox):
    asked = {"display_name": "Minutes", "event_name": "minutes", "default_aggregation": {"formula": "sum"}}
    meter = sandbox.v1.billing.meters.create(asked)
    return sandbox.price(4, recurring={"interval": "month", "usage_type": "metered", "meter": meter.id})


def subscribe(sandbox, *prices):
    asked = {"customer": sandbox.customer().id, "items": [{"price": each.id} for each in prices]}
    return sandbox.v1.subscriptions.create(asked)


def then(sandbox, subscription, *prices, days=None):
    """Let a subscription sell other prices after its period, or after some days."""
    made = sandbox.v1.subscription_schedules.create({"from_subscription": subscription.id})
    now = made.phases[0]
    first = [{name: value for name, value in each.to_dict().items() if name in ("price", "quantity")} for each in now["items"]]
    end = now.start_date + days * DAY if days else now.end_date
    phases = [{"items": first, "end_date": end}, {"items": [{"price": each.id} for each in prices]}]
    sandbox.v1.subscription_schedules.update(made.id, {"phases": phases})


def use(sandbox, subscription, value):
    payload = {"stripe_customer_id": subscription.customer, "value": str(value)}
    sandbox.v1.billing.meter_events.create({"event_name": "minutes", "payload": payload})


def totals(sandbox, subscription):
    return [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data][::-1]


def test_what_was_used_before_a_phase_took_the_item_away_is_billed(sandbox, by_use):
    subscription = subscribe(sandbox, sandbox.price(2800), by_use)
    then(sandbox, subscription, sandbox.price(900))
    use(sandbox, subscription, 50)
    sandbox.offline.advance(30 * DAY)

    assert totals(sandbox, subscription) == [2800, 200 + 900]


def test_what_was_used_before_a_phase_in_the_middle_is_billed_once(sandbox, by_use):
    solo = sandbox.price(2800)
    subscription = subscribe(sandbox, solo, by_use)
    then(sandbox, subscription, solo, days=10)
    use(sandbox, subscription, 50)
    sandbox.offline.advance(40 * DAY)
    use(sandbox, subscription, 1000)
    sandbox.offline.advance(31 * DAY)

    assert totals(sandbox, subscription) == [2800, 200 + 2800, 2800]


def test_an_item_that_counts_begins_with_its_phase(sandbox, by_use):
    solo = sandbox.price(2800)
    subscription = subscribe(sandbox, solo)
    then(sandbox, subscription, solo, by_use, days=10)
    use(sandbox, subscription, 1000)
    sandbox.offline.advance(11 * DAY)
    use(sandbox, subscription, 5)
    sandbox.offline.advance(20 * DAY)

    assert totals(sandbox, subscription) == [2800, 20 + 2800]


def test_a_phase_with_another_interval_begins_a_period_of_its_own(sandbox):
    subscription = subscribe(sandbox, sandbox.price(2800))
    then(sandbox, subscription, sandbox.price(25000, interval="year"))
    sandbox.offline.advance(60 * DAY)
    item = sandbox.v1.subscriptions.retrieve(subscription.id)["items"].data[0]

    assert totals(sandbox, subscription) == [2800, 25000]
    assert item.current_period_end - item.current_period_start == 365 * DAY


def test_a_phase_with_another_interval_in_the_middle_credits_the_rest(sandbox):
    subscription = subscribe(sandbox, sandbox.price(2800))
    then(sandbox, subscription, sandbox.price(25000, interval="year"), days=14)
    sandbox.offline.advance(20 * DAY)

    assert totals(sandbox, subscription) == [2800, 25000 - 1400]
