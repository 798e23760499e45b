"""Prices by use: what a meter counted is billed after the period, at the price of a unit, once."""

from decimal import Decimal

import pytest
import stripe

DAY = 86400
HOUR = 3600


@pytest.fixture
def meter(sandbox):
    asked = {"display_name": "Minutes", "event_name": "minutes", "default_aggregation": {"formula": "sum"}}
    return sandbox.v1.billing.meters.create(asked)


@pytest.fixture
def by_use(sandbox, meter):
    def make(unit="4", interval="month"):
        made = sandbox.v1.products.create({"name": "Mastering"})
        recurring = {"interval": interval, "usage_type": "metered", "meter": meter.id}
        return sandbox.v1.prices.create({"product": made.id, "currency": "eur", "unit_amount_decimal": unit, "recurring": recurring})

    return make


def subscribe(sandbox, *prices, **more):
    customer = sandbox.customer(**more)
    return sandbox.v1.subscriptions.create({"customer": customer.id, "items": [{"price": each.id} for each in prices]})


def use(sandbox, subscription, value, **more):
    payload = {"stripe_customer_id": subscription.customer, "value": str(value)}
    sandbox.v1.billing.meter_events.create({"event_name": "minutes", "payload": payload, **more})


def totals(sandbox, subscription):
    return [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data]


def test_use_is_billed_after_the_period_beside_the_next_one(sandbox, by_use):
    subscription = subscribe(sandbox, sandbox.price(2800), by_use("4"))
    use(sandbox, subscription, 100)
    use(sandbox, subscription, 25)
    sandbox.offline.advance(29 * DAY)
    lines = sandbox.v1.invoices.list({"subscription": subscription.id}).data[0].lines.data

    assert totals(sandbox, subscription) == [2800 + 125 * 4, 2800]
    assert [(each.amount, each.quantity) for each in lines] == [(500, 125), (2800, 1)]
    assert lines[0].period.end == lines[1].period.start
    assert not hasattr(subscription["items"].data[1], "quantity")


def test_each_period_bills_its_own_use(sandbox, by_use):
    subscription = subscribe(sandbox, by_use("4"))
    for used in (10, 0, 7):
        use(sandbox, subscription, used)
        sandbox.offline.advance(31 * DAY)

    assert totals(sandbox, subscription) == [28, 0, 40, 0]


def test_a_part_of_a_cent_counts_until_the_sum_is_rounded(sandbox, by_use):
    subscription = subscribe(sandbox, by_use("0.35"))
    use(sandbox, subscription, 101)
    sandbox.offline.advance(29 * DAY)

    assert totals(sandbox, subscription)[0] == 35  # 35.35 cents
    assert sandbox.v1.invoices.list().data[0].lines.data[0].pricing.unit_amount_decimal == Decimal("0.35")


def test_use_that_is_reported_late_is_on_the_draft_until_it_is_finalised(sandbox, by_use):
    subscription = subscribe(sandbox, by_use("4"))
    end = subscription["items"].data[0].current_period_end
    sandbox.offline.advance(28 * DAY + HOUR // 2)
    use(sandbox, subscription, 10, timestamp=end - 60)
    sandbox.offline.advance(HOUR)
    use(sandbox, subscription, 1000, timestamp=end - 60)
    sandbox.offline.advance(HOUR)

    assert totals(sandbox, subscription)[0] == 40


def test_a_preview_shows_what_was_used_so_far(sandbox, by_use):
    subscription = subscribe(sandbox, sandbox.price(2800), by_use("4"))
    use(sandbox, subscription, 50)

    assert sandbox.v1.invoices.create_preview({"subscription": subscription.id}).total == 2800 + 200


@pytest.mark.parametrize(("asked", "expected"), [({"invoice_now": True}, [200, 0]), ({}, [0])])
def test_cancelling_now_bills_the_use_when_asked(sandbox, by_use, asked, expected):
    subscription = subscribe(sandbox, by_use("4"))
    use(sandbox, subscription, 50)
    sandbox.offline.advance(DAY)
    sandbox.v1.subscriptions.cancel(subscription.id, asked)

    assert totals(sandbox, subscription) == expected


def test_ending_with_the_period_bills_its_use(sandbox, by_use):
    subscription = subscribe(sandbox, sandbox.price(2800), by_use("4"))
    use(sandbox, subscription, 50)
    sandbox.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    sandbox.offline.advance(40 * DAY)

    assert totals(sandbox, subscription) == [200, 2800]
    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "canceled"


def test_use_in_a_trial_is_free(sandbox, by_use):
    customer = sandbox.customer()
    asked = {"customer": customer.id, "items": [{"price": by_use("4").id}], "trial_period_days": 5}
    subscription = sandbox.v1.subscriptions.create(asked)
    use(sandbox, subscription, 50)
    sandbox.offline.advance(6 * DAY)

    assert totals(sandbox, subscription) == [0, 0]


def test_a_price_by_use_is_bought_in_checkout(sandbox, by_use):
    session = sandbox.v1.checkout.sessions.create({"mode": "subscription", "line_items": [{"price": by_use("4").id}]})
    page = sandbox.path(session.url)
    shown = sandbox.browser.get(page).text
    sandbox.browser.post(page, data={"email": "a@example.com", "number": "4242424242424242", "expiry": "12/34", "cvc": "123", "name": ""})
    done = sandbox.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})

    assert "counted and billed afterwards" in shown
    assert (done.subscription.status, session.amount_total) == ("active", 0)


def test_a_discount_and_a_tax_are_on_the_use_too(sandbox, by_use):
    rate = sandbox.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False})
    coupon = sandbox.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    customer = sandbox.customer()
    asked = {"customer": customer.id, "items": [{"price": by_use("10").id}], "default_tax_rates": [rate.id]}
    subscription = sandbox.v1.subscriptions.create({**asked, "discounts": [{"coupon": coupon.id}]})
    use(sandbox, subscription, 100)
    sandbox.offline.advance(29 * DAY)

    assert totals(sandbox, subscription)[0] == 600


def test_a_customers_test_clock_says_when_it_was_used(sandbox, by_use):
    now = int(sandbox.offline.now.timestamp())
    clock = sandbox.v1.test_helpers.test_clocks.create({"frozen_time": now + 400 * DAY})
    subscription = subscribe(sandbox, by_use("4"), test_clock=clock.id)
    use(sandbox, subscription, 5)
    sandbox.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": now + 440 * DAY})

    assert totals(sandbox, subscription) == [20, 0]


def test_a_used_item_is_not_swapped_in_the_middle(sandbox, by_use):
    subscription = subscribe(sandbox, by_use("4"))
    item = subscription["items"].data[0].id
    change = {"items": [{"id": item, "price": sandbox.price(900).id}], "proration_behavior": "always_invoice"}
    use(sandbox, subscription, 5)
    with pytest.raises(stripe.APIError, match="metered item that was used"):
        sandbox.v1.subscriptions.update(subscription.id, change)

    assert sandbox.v1.subscriptions.retrieve(subscription.id)["items"].data[0].price.recurring.usage_type == "metered"


def test_an_unused_item_is_swapped_for_a_fixed_price(sandbox, by_use):
    subscription = subscribe(sandbox, by_use("4"))
    sandbox.offline.advance(14 * DAY)
    item = {"id": subscription["items"].data[0].id, "price": sandbox.price(2800).id, "quantity": 2}
    changed = sandbox.v1.subscriptions.update(subscription.id, {"items": [item], "proration_behavior": "always_invoice"})

    assert (changed["items"].data[0].quantity, totals(sandbox, subscription)) == (2, [2800, 0])


@pytest.mark.parametrize(
    ("price", "param"),
    [
        ({"unit_amount": 4, "recurring": {"interval": "month", "usage_type": "metered"}}, "recurring[meter]"),
        ({"unit_amount": 4, "recurring": {"interval": "month", "meter": "mtr_test_none"}}, "recurring[meter]"),
        ({"unit_amount_decimal": "-1", "recurring": {"interval": "month"}}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "1e9999", "recurring": {"interval": "month"}}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "0.0000000000001"}, "unit_amount_decimal"),
        ({"unit_amount": 4, "unit_amount_decimal": "4"}, "unit_amount"),
    ],
)
def test_a_senseless_price_is_refused_by_name(sandbox, price, param):
    product = sandbox.v1.products.create({"name": "Mastering"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.prices.create({"product": product.id, "currency": "eur", **price})

    assert refused.value.param == param


def test_a_metered_item_takes_no_quantity(sandbox, by_use):
    asked = {"customer": sandbox.customer().id, "items": [{"price": by_use().id, "quantity": 3}]}
    with pytest.raises(stripe.InvalidRequestError, match="its meter counts"):
        sandbox.v1.subscriptions.create(asked)
