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
    subscription = sandbox.subscribe(sandbox.price(3000), **more)
    sandbox.v1.subscriptions.update(subscription.id, {"application_fee_percent": 20})
    sandbox.offline.advance(29 * 86400)

    assert [each.amount for each in sandbox.v1.transfers.list({"destination": studio}).data] == [3000, 3000]
    assert [each.amount for each in sandbox.v1.application_fees.list().data] == [600, 300]


def test_a_reserved_payment_leaves_its_fee_when_it_is_captured(sandbox, studio):
    asked = {"amount": 1000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True, "capture_method": "manual"}
    terms = {"application_fee_amount": 600, "transfer_data": {"destination": studio}}
    intent = sandbox.v1.payment_intents.create({**asked, **terms})
    before = len(sandbox.v1.transfers.list().data)
    sandbox.v1.payment_intents.capture(intent.id, {"amount_to_capture": 500})

    assert (before, sandbox.v1.transfers.list().data[0].amount) == (0, 500)
    assert sandbox.v1.application_fees.list().data[0].amount == 500


@pytest.mark.parametrize("more", [{"application_fee_amount": 10}, {}])
def test_what_is_passed_on_is_at_most_the_amount_and_has_no_fee_beside_it(sandbox, studio, more):
    asked = {"amount": 1000, "currency": "eur", "transfer_data": {"destination": studio, "amount": 900 if more else 1001}, **more}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.payment_intents.create(asked)

    assert refused.value.param == "transfer_data[amount]"


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


def test_a_studio_sells_on_its_own_checkout_page(sandbox, studio):
    own = {"stripe_account": studio}
    strings = {"currency": "eur", "unit_amount": 5000, "product_data": {"name": "Deposit"}}
    asked = {
        "mode": "payment",
        "line_items": [{"price_data": strings, "quantity": 1}],
        "payment_intent_data": {"application_fee_amount": 250},
    }
    session = sandbox.v1.checkout.sessions.create(asked, own)
    page = sandbox.path(session.url)
    shown = sandbox.browser.get(page).text
    typed = {"email": "c@example.com", "name": "", "number": "4000002500003155", "expiry": "12/34", "cvc": "123"}
    sandbox.browser.post(page, data=typed)
    sandbox.browser.post(f"{page}/confirm", data={"answer": "pass"})

    assert "€50.00" in shown
    assert sandbox.v1.checkout.sessions.retrieve(session.id, {}, own).payment_status == "paid"
    assert [each.amount for each in sandbox.v1.application_fees.list().data] == [250]
    assert sandbox.v1.charges.list().data == []
    assert sandbox.browser.get("/offline").status_code == 200


def test_a_studios_invoice_is_paid_on_its_page_and_its_customer_has_a_portal(sandbox, studio):
    own = {"stripe_account": studio}
    customer = sandbox.v1.customers.create({"email": "c@example.com"}, own)
    sandbox.v1.invoice_items.create({"customer": customer.id, "amount": 900, "currency": "eur"}, own)
    draft = sandbox.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include"}, own)
    invoice = sandbox.v1.invoices.finalize_invoice(draft.id, {}, own)
    portal = sandbox.v1.billing_portal.sessions.create({"customer": customer.id}, own)

    assert "€9.00" in sandbox.browser.get(sandbox.path(invoice.hosted_invoice_url)).text
    assert sandbox.browser.get(sandbox.path(invoice.invoice_pdf)).data.startswith(b"%PDF")
    assert sandbox.browser.get(sandbox.path(portal.url)).status_code == 200
    assert sandbox.offline.world.store.account is None


def test_a_subscription_from_checkout_is_passed_on_less_the_fee(sandbox, studio):
    terms = {"application_fee_percent": 10, "transfer_data": {"destination": studio}}
    lines = [{"price": sandbox.price(3000).id, "quantity": 1}]
    session = sandbox.v1.checkout.sessions.create({"mode": "subscription", "line_items": lines, "subscription_data": terms})
    typed = {"email": "c@example.com", "name": "", "number": "4242424242424242", "expiry": "12/34", "cvc": "123"}
    sandbox.browser.post(sandbox.path(session.url), data=typed)
    sandbox.offline.advance(29 * 86400)

    assert [each.amount for each in sandbox.v1.transfers.list().data] == [3000, 3000]
    assert [each.amount for each in sandbox.v1.application_fees.list().data] == [300, 300]
