"""Sums that Stripe's documentation works out, each with its address."""

from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.sandbox
DAY = 86400


@pytest.fixture
def at(make_sandbox):
    """A sandbox at the moment of an example."""

    def make(year, month, day):
        return make_sandbox(clock=lambda: datetime(year, month, day, tzinfo=UTC))

    return make


def usd(sandbox, amount, name="Plan", **recurring):
    product = sandbox.v1.products.create({"name": name})
    asked = {"product": product.id, "currency": "usd", "unit_amount": amount}
    return sandbox.v1.prices.create({**asked, **({"recurring": recurring} if recurring else {})})


def subscribe(sandbox, *prices, **more):
    asked = {"customer": sandbox.customer().id, "items": [{"price": each.id} for each in prices]}
    return sandbox.v1.subscriptions.create({**asked, **more})


def totals(sandbox, subscription):
    return [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id, "limit": 100}).data][::-1]


def test_an_upgrade_halfway_costs_the_difference_of_the_halves(at):
    """https://docs.stripe.com/billing/subscriptions/prorations: from 10 to 20 USD halfway is -5 and +10, so 5 USD more."""
    sandbox = at(2026, 4, 1)
    subscription = subscribe(sandbox, usd(sandbox, 1000, interval="month"))
    sandbox.offline.advance(15 * DAY)
    item = {"id": subscription["items"].data[0].id, "price": usd(sandbox, 2000, interval="month").id}
    changed = sandbox.v1.subscriptions.update(subscription.id, {"items": [item], "proration_behavior": "always_invoice"})
    invoice = sandbox.v1.invoices.retrieve(changed.latest_invoice)

    assert [each.amount for each in invoice.lines.data] == [-500, 1000]
    assert invoice.total == 500


def test_prorations_bear_no_discount_of_their_own(at):
    """https://docs.stripe.com/billing/subscriptions/prorations: a proration's amount has the discount inside; it is not discountable."""
    sandbox = at(2026, 4, 1)
    coupon = sandbox.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    subscription = subscribe(sandbox, usd(sandbox, 1000, interval="month"), discounts=[{"coupon": coupon.id}])
    sandbox.offline.advance(15 * DAY)
    item = {"id": subscription["items"].data[0].id, "price": usd(sandbox, 2000, interval="month").id}
    changed = sandbox.v1.subscriptions.update(subscription.id, {"items": [item], "proration_behavior": "always_invoice"})
    lines = sandbox.v1.invoices.retrieve(changed.latest_invoice).lines.data

    assert [(each.amount, each.discountable, each.discount_amounts) for each in lines] == [(-250, False, []), (500, False, [])]


def test_a_quarter_and_a_month_on_one_subscription(at):
    """https://docs.stripe.com/billing/subscriptions/mixed-interval: 100 USD each quarter and 15 USD each month from 1 January 2024."""
    sandbox = at(2024, 1, 1)
    subscription = subscribe(sandbox, usd(sandbox, 10000, interval="month", interval_count=3), usd(sandbox, 1500, interval="month"))
    sandbox.offline.advance(92 * DAY)

    assert totals(sandbox, subscription) == [11500, 1500, 1500, 11500]


def test_cancelling_a_mixed_subscription_by_the_earliest_or_latest_end(at):
    """https://docs.stripe.com/changelog/basil/2025-07-30/cancel-at-enums: names become moments; the flag means the earliest."""
    sandbox = at(2024, 1, 1)
    ends = []
    for asked in ({"cancel_at": "min_period_end"}, {"cancel_at": "max_period_end"}, {"cancel_at_period_end": True}):
        prices = usd(sandbox, 10000, interval="month", interval_count=3), usd(sandbox, 1500, interval="month")
        changed = sandbox.v1.subscriptions.update(subscribe(sandbox, *prices).id, asked)
        ends.append(datetime.fromtimestamp(changed.cancel_at, UTC).strftime("%d %b"))

    assert ends == ["01 Feb", "01 Apr", "01 Feb"]


def test_an_amount_is_in_the_smallest_unit_and_yen_have_none(at):
    """https://docs.stripe.com/currencies: 1000 is 10 USD, and 500 is 500 JPY."""
    sandbox = at(2026, 1, 1)
    shown = []
    for amount, currency in ((1000, "usd"), (500, "jpy")):
        data = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Strings"}}
        session = sandbox.v1.checkout.sessions.create({"mode": "payment", "line_items": [{"price_data": data, "quantity": 1}]})
        shown.append(sandbox.browser.get(sandbox.path(session.url)).text)

    assert "Pay $10.00" in shown[0]
    assert "Pay 500 JPY" in shown[1]


def onboarded(sandbox):
    account = sandbox.v1.accounts.create({"type": "express", "country": "US"})
    back = "http://127.0.0.1:5000/"
    link = sandbox.v1.account_links.create({"account": account.id, "type": "account_onboarding", "refresh_url": back, "return_url": back})
    sandbox.browser.post(sandbox.path(link.url))
    return account.id


@pytest.mark.parametrize(
    ("terms", "transferred", "fees"),
    [({"application_fee_amount": 123}, 1000, [123]), ({"transfer_data": {"amount": 877}}, 877, [])],
)
def test_a_platform_keeps_its_part_of_ten_dollars(at, terms, transferred, fees):
    """https://docs.stripe.com/connect/destination-charges: of 10 USD 8.77 are the account's, by a fee or by passing on less."""
    sandbox = at(2026, 1, 1)
    destination = {"destination": onboarded(sandbox), **terms.get("transfer_data", {})}
    asked = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    sandbox.v1.payment_intents.create({**asked, **terms, "transfer_data": destination})

    assert [each.amount for each in sandbox.v1.transfers.list().data] == [transferred]
    assert [each.amount for each in sandbox.v1.application_fees.list().data] == fees


def test_a_month_that_is_too_short_does_not_shift_the_ones_after_it(at):
    """https://docs.stripe.com/billing/subscriptions/billing-cycle: from 31 January it renews on 28 February and 31 March."""
    sandbox = at(2026, 1, 31)
    subscription = subscribe(sandbox, usd(sandbox, 1000, interval="month"))
    sandbox.offline.advance(100 * DAY)
    invoices = sandbox.v1.invoices.list({"subscription": subscription.id}).data[::-1]

    assert [datetime.fromtimestamp(each.created, UTC).strftime("%d %b") for each in invoices] == ["31 Jan", "28 Feb", "31 Mar", "30 Apr"]


def test_a_trial_has_a_paid_invoice_of_nothing(at):
    """https://docs.stripe.com/billing/subscriptions/trials: an invoice of 0 at first, and a charge at its end."""
    sandbox = at(2026, 1, 1)
    subscription = subscribe(sandbox, usd(sandbox, 1000, interval="month"), trial_period_days=7)
    sandbox.offline.advance(8 * DAY)

    assert totals(sandbox, subscription) == [0, 1000]
