"""Steps 1 to 36 of ninety that a subscription business takes, each through the official SDK: customers, catalogue, payments.

Every answer and every webhook payload is held against Stripe's own document on the way (`validate=True` in the fixture). The other steps
are in `test_scenario_subscriptions.py` (37 to 66) and `test_scenario_platform.py` (67 to 90).
"""

import pytest
import stripe

pytestmark = pytest.mark.sandbox
DAY = 86400


def refusal(call, *args):
    """Return the error that a call ends in."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*args)
    return caught.value


# ── Customers ────────────────────────────────────────────────────────────
def test_01_a_customer_is_made_read_changed_and_deleted(sandbox):
    customer = sandbox.v1.customers.create({"email": "ana@example.com", "metadata": {"tenant": "a"}})
    changed = sandbox.v1.customers.update(customer.id, {"name": "Ana", "phone": "+33 1"})
    sandbox.v1.customers.delete(customer.id)

    assert (changed.name, changed.metadata["tenant"]) == ("Ana", "a")
    assert sandbox.v1.customers.retrieve(customer.id).deleted


def test_02_customers_are_listed_by_email(sandbox):
    sandbox.v1.customers.create({"email": "a@example.com"})
    wanted = sandbox.v1.customers.create({"email": "b@example.com"})

    assert [each.id for each in sandbox.v1.customers.list({"email": "b@example.com"}).data] == [wanted.id]


def test_03_a_customers_balance_is_moved_and_every_move_is_kept(sandbox):
    customer = sandbox.v1.customers.create({"balance": -500})
    sandbox.v1.customers.balance_transactions.create(customer.id, {"amount": -1000, "currency": "eur", "description": "sorry"})

    assert sandbox.v1.customers.retrieve(customer.id).balance == -1500
    assert [each.ending_balance for each in sandbox.v1.customers.balance_transactions.list(customer.id).data] == [-1500, -500]


def test_04_the_balance_pays_an_invoice_first(sandbox):
    customer = sandbox.customer()
    sandbox.v1.customers.balance_transactions.create(customer.id, {"amount": -1000, "currency": "eur"})
    subscription = sandbox.v1.subscriptions.create({"customer": customer.id, "items": [{"price": sandbox.price(2900).id}]})
    invoice = sandbox.v1.invoices.retrieve(subscription.latest_invoice)

    assert (invoice.total, invoice.amount_paid, invoice.starting_balance, invoice.ending_balance) == (2900, 1900, -1000, 0)
    assert sandbox.v1.customers.balance_transactions.list(customer.id).data[0].type == "applied_to_invoice"


def test_05_a_tax_id_is_added_verified_listed_and_removed(sandbox):
    customer = sandbox.v1.customers.create({"tax_id_data": [{"type": "eu_vat", "value": "FR12345678901"}]})
    pending = sandbox.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "DE222222222"})
    sandbox.v1.customers.tax_ids.delete(customer.id, pending.id)

    assert pending.verification.status == "pending"
    assert [each.value for each in sandbox.v1.customers.tax_ids.list(customer.id).data] == ["FR12345678901"]


def test_06_a_malformed_tax_id_is_refused(sandbox):
    customer = sandbox.v1.customers.create({})

    assert refusal(sandbox.v1.customers.tax_ids.create, customer.id, {"type": "eu_vat", "value": "12"}).code == "tax_id_invalid"


# ── Products and prices ──────────────────────────────────────────────────
def test_07_a_product_is_made_changed_archived_and_deleted(sandbox):
    product = sandbox.v1.products.create({"name": "Solo"})
    archived = sandbox.v1.products.update(product.id, {"active": False, "description": "one person"})

    assert (archived.active, archived.description) == (False, "one person")
    assert sandbox.v1.products.delete(product.id).deleted


def test_08_a_monthly_and_a_yearly_price_are_found_by_lookup_key(sandbox):
    sandbox.price(2900, lookup_key="solo_month")
    yearly = sandbox.price(29000, interval="year", lookup_key="solo_year")

    assert [each.id for each in sandbox.v1.prices.list({"lookup_keys": ["solo_year"]}).data] == [yearly.id]


def test_09_a_lookup_key_moves_to_a_new_price(sandbox):
    old = sandbox.price(2900, lookup_key="solo")
    sandbox.price(3900, lookup_key="solo", transfer_lookup_key=True)

    assert sandbox.v1.prices.retrieve(old.id).lookup_key is None


def test_10_a_one_time_price_cannot_be_subscribed_to(sandbox):
    product = sandbox.v1.products.create({"name": "Setup"})
    price = sandbox.v1.prices.create({"product": product.id, "currency": "eur", "unit_amount": 5000})
    asked = {"customer": sandbox.customer().id, "items": [{"price": price.id}]}

    assert "type=recurring" in refusal(sandbox.v1.subscriptions.create, asked).user_message


# ── Coupons and promotion codes ──────────────────────────────────────────
def test_11_a_coupon_without_an_id_gets_one(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 25, "duration": "forever"})

    assert coupon.id
    assert coupon.valid


def test_12_percent_off_for_ever_is_on_every_invoice(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 25, "duration": "forever"})
    subscription = sandbox.subscribe(sandbox.price(2900), discounts=[{"coupon": coupon.id}])
    sandbox.offline.advance(29 * DAY)

    assert [each.amount_paid for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data] == [2175, 2175]


def test_13_an_amount_off_once_is_on_the_first_invoice_alone(sandbox):
    coupon = sandbox.v1.coupons.create({"amount_off": 1000, "currency": "eur", "duration": "once"})
    subscription = sandbox.subscribe(sandbox.price(2900), discounts=[{"coupon": coupon.id}])
    sandbox.offline.advance(29 * DAY)

    assert [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data] == [2900, 1900]


def test_14_a_repeating_coupon_ends_after_its_months(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 50, "duration": "repeating", "duration_in_months": 2})
    subscription = sandbox.subscribe(sandbox.price(2000), discounts=[{"coupon": coupon.id}])
    sandbox.offline.advance(75 * DAY)

    assert [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data] == [2000, 1000, 1000]


def test_15_a_promotion_code_is_made_found_redeemed_and_used_up(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 10, "duration": "once"})
    code = sandbox.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HELLO", "max_redemptions": 1})
    subscription = sandbox.subscribe(sandbox.price(2000), discounts=[{"promotion_code": code.id}])

    assert sandbox.v1.invoices.retrieve(subscription.latest_invoice).total == 1800
    assert sandbox.v1.promotion_codes.list({"code": "HELLO"}).data[0].active is False


def test_16_an_expired_coupon_is_refused(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 10, "duration": "once", "redeem_by": int(sandbox.offline.now.timestamp()) + 60})
    sandbox.offline.advance(61)
    asked = {"customer": sandbox.customer().id, "items": [{"price": sandbox.price().id}], "discounts": [{"coupon": coupon.id}]}

    assert refusal(sandbox.v1.subscriptions.create, asked).code == "coupon_expired"


def test_17_a_discount_is_taken_off_a_subscription(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    subscription = sandbox.subscribe(sandbox.price(2000), discounts=[{"coupon": coupon.id}])
    sandbox.v1.subscriptions.delete_discount(subscription.id)
    sandbox.offline.advance(29 * DAY)

    assert sandbox.v1.invoices.list({"subscription": subscription.id}).data[0].total == 2000


# ── Payment methods ──────────────────────────────────────────────────────
def test_18_a_card_alias_is_attached_listed_and_detached(sandbox):
    customer = sandbox.v1.customers.create({})
    method = sandbox.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    listed = sandbox.v1.customers.payment_methods.list(customer.id)
    sandbox.v1.payment_methods.detach(method.id)

    assert [each.card.last4 for each in listed.data] == ["4242"]
    assert sandbox.v1.customers.payment_methods.list(customer.id).data == []


def test_19_a_documented_number_makes_a_card(sandbox):
    card = {"number": "5555555555554444", "exp_month": 8, "exp_year": 2031, "cvc": "123"}
    method = sandbox.v1.payment_methods.create({"type": "card", "card": card, "billing_details": {"name": "Ana"}})

    assert (method.card.brand, method.card.exp_year, method.billing_details.name) == ("mastercard", 2031, "Ana")


def test_20_a_declined_card_cannot_be_saved(sandbox):
    asked = ("pm_card_visa_chargeDeclinedInsufficientFunds", {"customer": sandbox.v1.customers.create({}).id})

    assert refusal(sandbox.v1.payment_methods.attach, *asked).error.decline_code == "insufficient_funds"


# ── Setup intents ────────────────────────────────────────────────────────
def test_21_a_setup_intent_saves_a_card(sandbox):
    customer = sandbox.v1.customers.create({})
    intent = sandbox.v1.setup_intents.create({"customer": customer.id, "payment_method": "pm_card_visa", "confirm": True})

    assert intent.status == "succeeded"
    assert sandbox.v1.payment_methods.retrieve(intent.payment_method).customer == customer.id


def test_22_a_setup_intent_asks_the_cardholder_and_goes_on(sandbox):
    customer = sandbox.v1.customers.create({})
    intent = sandbox.v1.setup_intents.create({"customer": customer.id})
    asks = sandbox.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_authenticationRequired"})
    sandbox.browser.post(sandbox.path(asks.next_action.redirect_to_url.url), data={"answer": "pass"})

    assert (intent.status, asks.status) == ("requires_payment_method", "requires_action")
    assert sandbox.v1.setup_intents.retrieve(intent.id).status == "succeeded"


def test_23_a_setup_intent_is_canceled(sandbox):
    intent = sandbox.v1.setup_intents.create({})

    assert sandbox.v1.setup_intents.cancel(intent.id, {"cancellation_reason": "abandoned"}).status == "canceled"


# ── Payment intents, charges, refunds ────────────────────────────────────
def pay(sandbox, method="pm_card_visa", **more):
    asked = {"amount": 1500, "currency": "eur", "payment_method": method, "confirm": True, **more}
    return sandbox.v1.payment_intents.create(asked)


def test_24_a_payment_succeeds_and_leaves_a_charge(sandbox):
    intent = pay(sandbox)
    charge = sandbox.v1.charges.retrieve(intent.latest_charge)

    assert (intent.status, charge.amount, charge.paid) == ("succeeded", 1500, True)


def test_25_a_declined_payment_is_a_card_error_with_its_intent(sandbox):
    error = refusal(lambda: pay(sandbox, "pm_card_visa_chargeDeclined"))

    assert (error.code, error.error.decline_code) == ("card_declined", "generic_decline")
    assert error.error.payment_intent.status == "requires_payment_method"


def test_26_a_payment_passes_3d_secure(sandbox):
    asks = pay(sandbox, "pm_card_authenticationRequired")
    sandbox.browser.post(sandbox.path(asks.next_action.redirect_to_url.url), data={"answer": "pass"})

    assert asks.status == "requires_action"
    assert sandbox.v1.payment_intents.retrieve(asks.id).status == "succeeded"


def test_27_a_payment_fails_3d_secure_and_waits_for_another_card(sandbox):
    asks = pay(sandbox, "pm_card_authenticationRequired")
    sandbox.browser.post(sandbox.path(asks.next_action.redirect_to_url.url), data={"answer": "fail"})
    intent = sandbox.v1.payment_intents.retrieve(asks.id)

    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", "payment_intent_authentication_failure")
    assert sandbox.v1.payment_intents.confirm(asks.id, {"payment_method": "pm_card_visa"}).status == "succeeded"


def test_28_nobody_there_to_authenticate_is_a_decline(sandbox):
    error = refusal(lambda: pay(sandbox, "pm_card_authenticationRequired", off_session=True))

    assert error.code == "authentication_required"


def test_29_a_reserved_payment_is_captured_in_part(sandbox):
    held = pay(sandbox, capture_method="manual")
    taken = sandbox.v1.payment_intents.capture(held.id, {"amount_to_capture": 1000})

    assert (held.status, held.amount_capturable) == ("requires_capture", 1500)
    assert (taken.status, taken.amount_received) == ("succeeded", 1000)


def test_30_a_reserved_payment_is_released(sandbox):
    held = pay(sandbox, capture_method="manual")
    canceled = sandbox.v1.payment_intents.cancel(held.id)

    assert canceled.status == "canceled"
    assert sandbox.v1.charges.retrieve(held.latest_charge).refunded


def test_31_a_sepa_debit_arrives_days_later(sandbox):
    method = sandbox.v1.payment_methods.create({"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}})
    under_way = pay(sandbox, method.id, payment_method_types=["sepa_debit"])
    sandbox.pass_account_time(6 * DAY)

    assert under_way.status == "processing"
    assert sandbox.v1.payment_intents.retrieve(under_way.id).status == "succeeded"


def test_32_a_sepa_debit_comes_back(sandbox):
    method = sandbox.v1.payment_methods.create({"type": "sepa_debit", "sepa_debit": {"iban": "DE62370400440532013001"}})
    under_way = pay(sandbox, method.id, payment_method_types=["sepa_debit"])
    sandbox.pass_account_time(6 * DAY)

    assert sandbox.v1.payment_intents.retrieve(under_way.id).status == "requires_payment_method"
    assert sandbox.v1.charges.retrieve(under_way.latest_charge).status == "failed"


def test_33_a_refund_in_parts_never_exceeds_the_charge(sandbox):
    intent = pay(sandbox)
    sandbox.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    too_much = refusal(sandbox.v1.refunds.create, {"payment_intent": intent.id, "amount": 1001})
    sandbox.v1.refunds.create({"payment_intent": intent.id})

    assert "greater than unrefunded amount" in too_much.user_message
    assert sandbox.v1.charges.retrieve(intent.latest_charge).refunded


def test_34_a_second_full_refund_is_refused(sandbox):
    intent = pay(sandbox)
    sandbox.v1.refunds.create({"payment_intent": intent.id})

    assert refusal(sandbox.v1.refunds.create, {"payment_intent": intent.id}).code == "charge_already_refunded"


def test_35_a_dispute_is_opened_and_won(sandbox):
    intent = pay(sandbox, "pm_card_createDispute")
    sandbox.pass_account_time(1)
    dispute = sandbox.v1.disputes.list({"payment_intent": intent.id}).data[0]
    won = sandbox.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})

    assert (dispute.status, won.status) == ("needs_response", "won")


def test_36_a_dispute_is_accepted_and_blocks_refunds(sandbox):
    intent = pay(sandbox, "pm_card_createDispute")
    sandbox.pass_account_time(1)
    dispute = sandbox.v1.disputes.list().data[0]

    assert sandbox.v1.disputes.close(dispute.id).status == "lost"
    assert refusal(sandbox.v1.refunds.create, {"payment_intent": intent.id}).code == "charge_disputed"
