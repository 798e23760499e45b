"""Checkout beyond a plain subscription: single payments, saved cards, promotion codes, prices made on the spot and bank debits."""

import pytest
import stripe

DAY = 86400
VISA = "4242424242424242"
DECLINED = "4000000000000002"
ASKS = "4000002500003155"
IBAN = "DE89370400440532013000"
RETURNED_IBAN = "DE62370400440532013001"
BACK = "http://127.0.0.1:5000/back?session={CHECKOUT_SESSION_ID}"


def typed(number=VISA, **more):
    return {"email": "ana@example.com", "name": "Ana", "number": number, "expiry": "12 / 34", "cvc": "123", **more}


def once(sandbox, amount=1500, **more):
    product = sandbox.v1.products.create({"name": "Strings"})
    return sandbox.v1.prices.create({"product": product.id, "currency": "eur", "unit_amount": amount, **more})


def open_session(sandbox, mode, *prices, **more):
    asked = {"mode": mode, "success_url": BACK, **more}
    if prices:
        asked["line_items"] = [{"price": price.id, "quantity": 1} for price in prices]
    return sandbox.v1.checkout.sessions.create(asked)


def submit(sandbox, session, number=VISA, answer=None):
    page = sandbox.path(session.url)
    shown = sandbox.browser.post(page, data=typed(number))
    return sandbox.browser.post(f"{page}/confirm", data={"answer": answer}) if answer else shown


def again(sandbox, session, *expand):
    return sandbox.v1.checkout.sessions.retrieve(session.id, {"expand": list(expand)} if expand else {})


def code_for(sandbox, code="SPRING", restrictions=None, **coupon):
    made = sandbox.v1.coupons.create({"duration": "once", **(coupon or {"percent_off": 20})})
    asked = {"code": code, "promotion": {"type": "coupon", "coupon": made.id}}
    return sandbox.v1.promotion_codes.create({**asked, **({"restrictions": restrictions} if restrictions else {})})


def test_a_single_payment_is_taken_from_a_guest(sandbox):
    session = open_session(sandbox, "payment", once(sandbox, 1500), payment_intent_data={"metadata": {"order": "7"}})
    paid = submit(sandbox, session)
    done = again(sandbox, session, "payment_intent")

    assert (session.payment_status, session.payment_intent, paid.status_code) == ("unpaid", None, 303)
    assert (done.status, done.payment_status, done.customer, done.subscription) == ("complete", "paid", None, None)
    assert (done.payment_intent.amount_received, done.payment_intent.metadata.to_dict()) == (1500, {"order": "7"})
    assert done.customer_details.email == "ana@example.com"


@pytest.mark.parametrize("wish", [{"customer_creation": "always"}, {"payment_intent_data": {"setup_future_usage": "off_session"}}])
def test_a_single_payment_can_make_a_customer(sandbox, wish):
    session = open_session(sandbox, "payment", once(sandbox), **wish)
    submit(sandbox, session)
    done = again(sandbox, session, "payment_intent")

    assert sandbox.v1.customers.retrieve(done.customer).email == "ana@example.com"
    assert done.payment_intent.customer == done.customer
    saved = sandbox.v1.customers.payment_methods.list(done.customer).data
    assert bool(saved) is ("payment_intent_data" in wish)


def test_a_declined_payment_stays_on_record_and_another_card_goes_through(sandbox):
    session = open_session(sandbox, "payment", once(sandbox), customer_creation="always")
    refused = submit(sandbox, session, DECLINED)
    between = again(sandbox, session, "payment_intent")
    submit(sandbox, session)
    done = again(sandbox, session)

    assert (refused.status_code, "declined" in refused.text) == (402, True)
    assert (between.status, between.payment_intent.status) == ("open", "requires_payment_method")
    assert (done.status, done.payment_intent) == ("complete", between.payment_intent.id)
    assert sandbox.event_types().count("payment_intent.payment_failed") == 1
    assert len(sandbox.v1.customers.list().data) == 1


@pytest.mark.parametrize(("answer", "expected"), [("pass", ("complete", "paid")), ("fail", ("open", "unpaid"))])
def test_a_single_payment_asks_for_3d_secure(sandbox, answer, expected):
    session = open_session(sandbox, "payment", once(sandbox))
    submit(sandbox, session, ASKS, answer=answer)
    done = again(sandbox, session)

    assert (done.status, done.payment_status) == expected


@pytest.mark.parametrize(
    ("iban", "outcome", "event"), [(IBAN, "paid", "async_payment_succeeded"), (RETURNED_IBAN, "unpaid", "async_payment_failed")]
)
def test_a_bank_debit_is_unpaid_until_it_arrives(sandbox, iban, outcome, event):
    session = open_session(sandbox, "payment", once(sandbox), payment_method_types=["card", "sepa_debit"])
    submit(sandbox, session, iban)
    waiting = again(sandbox, session)
    sandbox.offline.advance(6 * DAY)

    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert again(sandbox, session).payment_status == outcome
    assert sandbox.event_types().count(f"checkout.session.{event}") == 1


def test_a_subscription_by_bank_debit_is_unpaid_until_it_arrives(sandbox):
    session = open_session(sandbox, "subscription", sandbox.price(), payment_method_types=["sepa_debit"])
    submit(sandbox, session, IBAN)
    waiting = again(sandbox, session)
    sandbox.offline.advance(6 * DAY)

    assert waiting.payment_status == "unpaid"
    assert again(sandbox, session).payment_status == "paid"


def test_a_bank_account_is_taken_only_where_it_is_offered(sandbox):
    session = open_session(sandbox, "payment", once(sandbox))

    assert submit(sandbox, session, IBAN).status_code == 422


def test_a_card_is_saved_without_a_payment(sandbox):
    customer = sandbox.customer(card=None)
    session = open_session(sandbox, "setup", customer=customer.id, currency="eur")
    shown = sandbox.browser.get(sandbox.path(session.url)).text
    submit(sandbox, session)
    done = again(sandbox, session, "setup_intent")

    assert "Nothing is charged now" in shown
    assert (done.status, done.payment_status, done.setup_intent.status) == ("complete", "no_payment_required", "succeeded")
    assert sandbox.v1.customers.payment_methods.list(customer.id).data[0].id == done.setup_intent.payment_method
    assert sandbox.v1.charges.list().data == []


def test_a_card_that_cannot_be_saved_leaves_the_setup_open(sandbox):
    session = open_session(sandbox, "setup", customer=sandbox.customer(card=None).id)
    refused = submit(sandbox, session, DECLINED)
    between = again(sandbox, session, "setup_intent")

    assert (refused.status_code, between.status) == (402, "open")
    assert between.setup_intent.last_setup_error.code == "card_declined"


def test_saving_a_card_asks_for_3d_secure_once(sandbox):
    customer = sandbox.customer(card=None)
    session = open_session(sandbox, "setup", customer=customer.id)
    submit(sandbox, session, ASKS, answer="pass")
    method = again(sandbox, session, "setup_intent").setup_intent.payment_method
    asked = {"amount": 900, "currency": "eur", "customer": customer.id, "payment_method": method, "confirm": True, "off_session": True}

    assert sandbox.v1.payment_intents.create(asked).status == "succeeded"


def test_a_discount_is_taken_off_by_the_session(sandbox):
    code = code_for(sandbox, amount_off=500, currency="eur")
    session = open_session(sandbox, "payment", once(sandbox, 1500), discounts=[{"promotion_code": code.id}])
    submit(sandbox, session)
    items = sandbox.v1.checkout.sessions.line_items.list(session.id).data

    assert (session.amount_subtotal, session.amount_total, session.total_details.amount_discount) == (1500, 1000, 500)
    assert [(each.amount_subtotal, each.amount_discount, each.amount_total) for each in items] == [(1500, 500, 1000)]
    assert sandbox.v1.charges.list().data[0].amount == 1000
    assert sandbox.v1.promotion_codes.retrieve(code.id).times_redeemed == 1


def test_a_code_is_typed_on_the_page_and_discounts_the_first_invoice(sandbox):
    code_for(sandbox, "SPRING", percent_off=25)
    session = open_session(sandbox, "subscription", sandbox.price(2800), allow_promotion_codes=True)
    page = sandbox.path(session.url)
    applied = sandbox.browser.post(f"{page}/code", data={"code": "spring"}, follow_redirects=True)
    submit(sandbox, session)
    done = again(sandbox, session)
    sandbox.offline.advance(32 * DAY)

    assert "€21.00" in applied.text
    assert [each.total for each in sandbox.v1.invoices.list({"subscription": done.subscription}).data] == [2800, 2100]
    assert (done.amount_subtotal, done.amount_total) == (2800, 2100)


def test_a_code_can_be_taken_back(sandbox):
    code = code_for(sandbox)
    session = open_session(sandbox, "payment", once(sandbox), allow_promotion_codes=True)
    page = sandbox.path(session.url)
    for text in (code.code, ""):
        sandbox.browser.post(f"{page}/code", data={"code": text})

    assert again(sandbox, session).amount_total == 1500


@pytest.mark.parametrize(
    ("restrictions", "typed_code", "sentence"),
    [
        (None, "AUTUMN", "This code is not valid."),
        ({"minimum_amount": 2000, "minimum_amount_currency": "eur"}, "SPRING", "below its minimum"),
    ],
)
def test_a_code_that_does_not_fit_says_why(sandbox, restrictions, typed_code, sentence):
    code_for(sandbox, "SPRING", restrictions=restrictions)
    session = open_session(sandbox, "payment", once(sandbox), allow_promotion_codes=True)
    refused = sandbox.browser.post(f"{sandbox.path(session.url)}/code", data={"code": typed_code})

    assert refused.status_code == 422
    assert sentence in refused.text
    assert again(sandbox, session).amount_total == 1500


def test_a_declined_card_redeems_no_code(sandbox):
    code = code_for(sandbox)
    session = open_session(sandbox, "payment", once(sandbox), discounts=[{"promotion_code": code.id}])
    submit(sandbox, session, DECLINED)

    assert sandbox.v1.promotion_codes.retrieve(code.id).times_redeemed == 0


def test_a_code_that_was_used_up_meanwhile_takes_no_money(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 20, "duration": "once", "max_redemptions": 1})
    sessions = [open_session(sandbox, "payment", once(sandbox), discounts=[{"coupon": coupon.id}]) for _ in range(2)]
    answers = [submit(sandbox, each).status_code for each in sessions]

    assert answers == [303, 422]
    assert len(sandbox.v1.charges.list().data) == 1


def test_what_costs_nothing_needs_no_card(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 100, "duration": "once"})
    session = open_session(sandbox, "payment", once(sandbox), discounts=[{"coupon": coupon.id}])
    sandbox.browser.post(sandbox.path(session.url), data={"email": "ana@example.com", "name": ""})

    assert again(sandbox, session).payment_status == "no_payment_required"


def test_a_price_is_made_on_the_spot(sandbox):
    data = {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Tuning"}}
    session = sandbox.v1.checkout.sessions.create({"mode": "payment", "line_items": [{"price_data": data, "quantity": 2}]})
    item = sandbox.v1.checkout.sessions.line_items.list(session.id).data[0]

    assert (session.amount_total, item.description, item.price.active) == (1400, "Tuning", False)


def test_a_single_price_goes_on_the_first_invoice_of_a_subscription(sandbox):
    session = open_session(sandbox, "subscription", sandbox.price(2800), once(sandbox, 500))
    submit(sandbox, session)
    done = again(sandbox, session, "invoice")

    assert (session.amount_total, done.invoice.total, done.payment_status) == (3300, 3300, "paid")


def test_a_studio_sells_on_the_platforms_checkout_and_pays_a_fee(sandbox):
    account = sandbox.v1.accounts.create({"type": "express", "country": "FR"})
    link = sandbox.v1.account_links.create({"account": account.id, "type": "account_onboarding", "refresh_url": BACK, "return_url": BACK})
    sandbox.browser.post(sandbox.path(link.url))
    data = {"application_fee_amount": 100, "transfer_data": {"destination": account.id}}
    submit(sandbox, open_session(sandbox, "payment", once(sandbox), payment_intent_data=data))

    assert [each.amount for each in sandbox.v1.transfers.list().data] == [1500]
    assert [each.amount for each in sandbox.v1.application_fees.list().data] == [100]


@pytest.mark.parametrize(
    ("mode", "more", "param"),
    [
        ("setup", {"line_items": [{"price": "once"}]}, "line_items"),
        ("payment", {"line_items": [{"price": "monthly"}]}, "line_items[0][price]"),
        ("subscription", {"line_items": [{"price": "once"}]}, "line_items"),
        ("payment", {}, "line_items"),
        ("payment", {"line_items": [{"price": "once"}], "subscription_data": {"description": "x"}}, "subscription_data"),
        ("subscription", {"line_items": [{"price": "monthly"}], "customer_creation": "always"}, "customer_creation"),
        ("payment", {"line_items": [{"price": "once"}], "payment_method_collection": "always"}, "payment_method_collection"),
        ("setup", {"allow_promotion_codes": True}, "discounts"),
        ("payment", {"line_items": [{"price": "once"}], "discounts": [{"coupon": "none"}]}, "discounts"),
    ],
)
def test_what_does_not_fit_the_mode_is_refused_by_name(sandbox, mode, more, param):
    named = {"once": once(sandbox).id, "monthly": sandbox.price().id}
    lines = [{**each, "price": named[each["price"]]} for each in more.get("line_items", [])]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.checkout.sessions.create({"mode": mode, **more, **({"line_items": lines} if lines else {})})

    assert refused.value.param == param
