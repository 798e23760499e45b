"""Subscriptions of a marketplace: the platform's fee and the studio's share of every invoice."""

import pytest
import stripe

BACK = "http://127.0.0.1:5000/back"


@pytest.fixture
def studio(sandbox):
    account = sandbox.v1.accounts.create({"type": "express", "country": "FR"})
    link = sandbox.v1.account_links.create({"account": account.id, "type": "account_onboarding", "refresh_url": BACK, "return_url": BACK})
    sandbox.browser.post(sandbox.path(link.url))
    return account.id


def test_every_invoice_of_a_direct_subscription_leaves_a_fee(sandbox, studio):
    own = {"stripe_account": studio}
    product = sandbox.v1.products.create({"name": "Lessons"}, own)
    price = {"product": product.id, "currency": "eur", "unit_amount": 2999, "recurring": {"interval": "month"}}
    monthly = sandbox.v1.prices.create(price, own)
    customer = sandbox.v1.customers.create({}, own)
    method = sandbox.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id}, own)
    asked = {"customer": customer.id, "items": [{"price": monthly.id}], "default_payment_method": method.id}
    sandbox.v1.subscriptions.create({**asked, "application_fee_percent": 12.5}, own)
    sandbox.offline.advance(29 * 86400)

    assert [each.amount for each in sandbox.v1.application_fees.list().data] == [375, 375]


def test_every_invoice_of_a_destination_subscription_is_passed_on(sandbox, studio):
    more = {"application_fee_percent": 10, "transfer_data": {"destination": studio}}
    sandbox.subscribe(sandbox.price(3000), **more)
    sandbox.offline.advance(29 * 86400)

    assert [each.amount for each in sandbox.v1.transfers.list({"destination": studio}).data] == [2700, 2700]


@pytest.mark.parametrize("percent", [-1, 101, 10])
def test_a_fee_without_a_connected_account_or_beyond_all_is_refused(sandbox, percent):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.subscribe(sandbox.price(3000), application_fee_percent=percent)

    assert refused.value.param == "application_fee_percent"


def test_a_studio_that_cannot_be_paid_gets_no_subscription(sandbox):
    account = sandbox.v1.accounts.create({"type": "express", "country": "FR"})
    with pytest.raises(stripe.InvalidRequestError, match="cannot currently make charges"):
        sandbox.subscribe(sandbox.price(3000), transfer_data={"destination": account.id})

    assert sandbox.v1.subscriptions.list().data == []
