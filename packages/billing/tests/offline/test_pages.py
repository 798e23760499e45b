"""The hosted pages, as a browser without scripts sees them."""

import re

import pytest
import stripe

DAY = 86400
GOOD = {"email": "ana@example.com", "number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123", "name": "Ana"}


@pytest.fixture
def checkout(sandbox):
    """A session of a customer nobody knows yet, and its page's path."""
    price = sandbox.price(7900, product="Studio")
    session = sandbox.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price.id, "quantity": 1}],
            "success_url": "http://studio.localhost/done?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://studio.localhost/plans",
            "client_reference_id": "northlight",
            "subscription_data": {"metadata": {"account": "northlight"}},
        }
    )
    return session, sandbox.path(session.url)


@pytest.fixture
def portal(sandbox):
    """A subscriber on Solo, with Studio on offer: subscription, its portal's path, and the other price."""
    subscription = sandbox.subscribe(sandbox.price(2900, product="Solo"))
    other = sandbox.price(7900, product="Studio")
    session = sandbox.v1.billing_portal.sessions.create({"customer": subscription.customer, "return_url": "http://studio.localhost/"})
    return subscription, sandbox.path(session.url), other


def test_checkout_shows_what_is_bought_and_for_how_much(sandbox, checkout):
    _, path = checkout
    page = sandbox.browser.get(path).text

    assert "Subscribe to Studio" in page
    assert "€79.00" in page
    assert "This is not Stripe" in page
    assert "<script" not in page


def test_paying_begins_the_subscription_and_leads_back(sandbox, checkout):
    session, path = checkout
    answer = sandbox.browser.post(path, data=GOOD)

    done = sandbox.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "customer", "invoice", "line_items"]})
    assert (answer.status_code, answer.location) == (303, f"http://studio.localhost/done?session={session.id}")
    assert (done.status, done.payment_status, done.amount_total) == ("complete", "paid", 7900)
    assert (done.subscription.status, done.subscription.metadata["account"]) == ("active", "northlight")
    assert (done.customer.email, done.invoice.amount_paid, done.line_items.data[0].description) == ("ana@example.com", 7900, "Studio")
    assert sandbox.event_types()[-1] == "checkout.session.completed"


def test_the_form_may_lead_to_the_success_address_and_nowhere_else(sandbox, checkout):
    _, path = checkout
    policy = sandbox.browser.get(path).headers["Content-Security-Policy"]

    assert policy.endswith("form-action 'self' http://studio.localhost")
    assert "default-src 'none'" in policy


def test_paying_twice_charges_once(sandbox, checkout):
    _, path = checkout
    sandbox.browser.post(path, data=GOOD)
    again = sandbox.browser.post(path, data=GOOD)

    assert "This is paid" in again.text
    assert len(sandbox.v1.charges.list().data) == 1


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("4000000000000002", "Your card was declined."),
        ("4000000000009995", "Your card has insufficient funds."),
        ("4000000000000341", "Your card was declined."),
        ("4000000000000069", "Your card has expired."),
    ],
)
def test_a_declined_card_says_why_and_begins_nothing(sandbox, checkout, number, sentence):
    session, path = checkout
    answer = sandbox.browser.post(path, data={**GOOD, "number": number})

    assert (answer.status_code, sentence in answer.text, "Nothing was charged" in answer.text) == (402, True, True)
    assert sandbox.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert sandbox.v1.customers.list().data == []
    assert sandbox.v1.subscriptions.list({"status": "all"}).data == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("email", "nobody", "Enter an e-mail address"),
        ("number", "4242424242424241", "Your card number is incorrect."),
        ("number", "4000000000000010", "non test card"),
        ("expiry", "13/34", "Enter a month and year"),
        ("expiry", "12/20", "Enter a month and year"),
        ("cvc", "12", "Enter the three or four digits"),
    ],
)
def test_a_wrong_field_is_named_and_the_rest_is_kept(sandbox, checkout, field, value, sentence):
    _, path = checkout
    answer = sandbox.browser.post(path, data={**GOOD, field: value})

    marked = re.search(rf'<input id="{field}"[^>]*aria-invalid="true"[^>]*aria-describedby="{field}-problem', answer.text)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert marked is not None
    assert 'value="Ana"' in answer.text


@pytest.mark.parametrize(("answer", "status", "outcome"), [("pass", 303, "complete"), ("fail", 402, "open")])
def test_3d_secure_is_asked_on_a_page_of_its_own(sandbox, checkout, answer, status, outcome):
    session, path = checkout
    asked = sandbox.browser.post(path, data={**GOOD, "number": "4000002500003155"})
    shown = sandbox.browser.get(asked.location)
    told = sandbox.browser.post(asked.location, data={"answer": answer})

    assert (asked.status_code, "Your bank asks" in shown.text) == (303, True)
    assert told.status_code == status
    assert sandbox.v1.checkout.sessions.retrieve(session.id).status == outcome


def test_a_card_that_passed_3d_secure_renews_without_asking(sandbox, checkout):
    session, path = checkout
    sandbox.browser.post(path, data={**GOOD, "number": "4000002500003155"})
    sandbox.browser.post(f"{path}/confirm", data={"answer": "pass"})
    sandbox.offline.advance(40 * DAY)

    done = sandbox.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription.latest_invoice"]})
    assert (done.subscription.status, done.subscription.latest_invoice.status) == ("active", "paid")


def test_a_session_expires_after_a_day(sandbox, checkout):
    session, path = checkout
    sandbox.offline.advance(DAY)

    assert sandbox.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert "This page has expired" in sandbox.browser.get(path).text
    assert "checkout.session.expired" in sandbox.event_types()


def test_a_trial_by_checkout_costs_nothing_now(sandbox):
    price, customer = sandbox.price(), sandbox.customer(card=None)
    session = sandbox.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "line_items": [{"price": price.id, "quantity": 1}],
            "success_url": "http://studio.localhost/",
            "subscription_data": {"trial_period_days": 14},
        }
    )
    path = sandbox.path(session.url)
    page = sandbox.browser.get(path).text
    sandbox.browser.post(path, data={**GOOD, "number": "4000000000000341"})
    sandbox.offline.advance(15 * DAY)

    subscription = sandbox.v1.subscriptions.list({"customer": customer.id}).data[0]
    assert ("Free" in page, "until 14 Feb 2026" in page) == (True, True)
    assert subscription.status == "past_due"


def test_the_portal_shows_plan_card_and_invoices(sandbox, portal):
    _, path, _ = portal
    page = sandbox.browser.get(path).text

    assert all(text in page for text in ("Solo", "€29.00 per month", "Renews on 28 Feb 2026", "•••• 4242", "This is not Stripe"))
    assert re.search(r"/invoice/in_\w+/pdf", page)


def test_the_portal_cancels_at_the_end_and_takes_it_back(sandbox, portal):
    subscription, path, _ = portal
    shown = sandbox.browser.get(f"{path}/cancel?subscription={subscription.id}").text
    sandbox.browser.post(f"{path}/cancel", data={"subscription": subscription.id, "feedback": "too_expensive"})
    canceled = sandbox.v1.subscriptions.retrieve(subscription.id)
    sandbox.browser.post(f"{path}/resume", data={"subscription": subscription.id})

    resumed = sandbox.v1.subscriptions.retrieve(subscription.id)
    assert "28 Feb 2026" in shown
    assert (canceled.status, canceled.cancel_at, canceled.cancel_at_period_end) == ("active", 1772280000, False)
    assert canceled.cancellation_details.feedback == "too_expensive"
    assert (resumed.cancel_at, resumed.canceled_at) == (None, None)


def test_the_portal_charges_for_a_change_exactly_what_it_showed(sandbox, portal):
    subscription, _, other = portal
    sandbox.offline.advance(9 * DAY + 777)
    path = sandbox.path(sandbox.v1.billing_portal.sessions.create({"customer": subscription.customer}).url)
    page = sandbox.browser.get(f"{path}/change?subscription={subscription.id}&price={other.id}").text
    shown = re.search(r"Change the plan and pay €([\d.]+)", page)[1]
    at = re.search(r'name="at" value="(\d+)"', page)[1]
    sandbox.offline.advance(600)
    done = sandbox.browser.post(f"{path}/change", data={"subscription": subscription.id, "price": other.id, "at": at})

    changed = sandbox.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert done.status_code == 303
    assert changed.latest_invoice.amount_paid == round(float(shown) * 100)
    assert changed["items"].data[0].price.id == other.id


def test_a_change_that_cannot_be_paid_does_not_happen(sandbox, portal):
    subscription, path, other = portal
    sandbox.offline.decline(subscription.customer)
    at = int(sandbox.offline.now.timestamp())
    answer = sandbox.browser.post(f"{path}/change", data={"subscription": subscription.id, "price": other.id, "at": at})

    kept = sandbox.v1.subscriptions.retrieve(subscription.id)
    assert (answer.status_code, "Nothing was changed" in answer.text) == (402, True)
    assert (kept.status, kept["items"].data[0].price.unit_amount) == ("active", 2900)


@pytest.mark.parametrize("at", ["0", "99999999999", "x"])
def test_a_stale_preview_is_not_charged(sandbox, portal, at):
    subscription, path, other = portal
    answer = sandbox.browser.post(f"{path}/change", data={"subscription": subscription.id, "price": other.id, "at": at})

    assert (answer.status_code, "no longer valid" in answer.text) == (400, True)


def test_the_configuration_decides_what_is_on_offer(sandbox, portal):
    subscription, _, other = portal
    features = {
        "subscription_update": {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": [{"product": other.product, "prices": [other.id]}],
            "proration_behavior": "always_invoice",
        }
    }
    configuration = sandbox.v1.billing_portal.configurations.create({"features": features})
    session = sandbox.v1.billing_portal.sessions.create({"customer": subscription.customer, "configuration": configuration.id})
    path = sandbox.path(session.url)
    page = sandbox.browser.get(f"{path}/change?subscription={subscription.id}").text

    assert page.count('type="radio"') == 1
    assert sandbox.browser.get(f"{path}/cancel?subscription={subscription.id}").status_code == 403


def test_a_portal_serves_its_own_customer_only(sandbox, portal):
    _, path, _ = portal
    foreign = sandbox.subscribe(sandbox.price(100))
    answer = sandbox.browser.post(f"{path}/cancel", data={"subscription": foreign.id})

    assert answer.status_code == 403
    assert sandbox.v1.subscriptions.retrieve(foreign.id).cancel_at is None


def test_a_past_due_customer_changes_the_card_and_pays(sandbox, portal):
    subscription, path, _ = portal
    fails = {"number": "4000000000000341", "expiry": "12/34", "cvc": "123"}
    sandbox.browser.post(f"{path}/card", data=fails)
    sandbox.offline.advance(29 * DAY)
    session = sandbox.v1.billing_portal.sessions.create({"customer": subscription.customer})
    path = sandbox.path(session.url)
    warned = sandbox.browser.get(path).text
    invoice = sandbox.v1.invoices.list({"status": "open"}).data[0]
    refused = sandbox.browser.post(f"{path}/pay", data={"invoice": invoice.id})
    sandbox.browser.post(f"{path}/card", data={**fails, "number": "5555555555554444"})
    paid = sandbox.browser.post(f"{path}/pay", data={"invoice": invoice.id})

    assert "is not paid" in warned
    assert (refused.status_code, paid.status_code) == (402, 303)
    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_an_open_invoice_is_paid_on_its_own_page(sandbox, portal):
    subscription, _, _ = portal
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(29 * DAY)
    sandbox.offline.decline(subscription.customer, declining=False)
    invoice = sandbox.v1.invoices.list({"status": "open"}).data[0]
    answer = sandbox.browser.post(sandbox.path(invoice.hosted_invoice_url), data=GOOD)

    assert answer.status_code == 303
    assert sandbox.v1.invoices.retrieve(invoice.id).status == "paid"


def test_an_invoice_is_a_pdf_with_its_amounts(sandbox, portal):
    invoice = sandbox.v1.invoices.list().data[0]
    answer = sandbox.browser.get(sandbox.path(invoice.invoice_pdf))

    body = answer.get_data()
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n\Z", body)[1])
    assert answer.mimetype == "application/pdf"
    assert body.startswith(b"%PDF-1.4")
    assert body[table : table + 4] == b"xref"
    assert b"\x8029.00" in body
    assert b"This is not Stripe" in body


def test_a_closed_portal_link_says_so(sandbox, portal):
    _, path, _ = portal
    sandbox.offline.advance(DAY)

    assert "has expired" in sandbox.browser.get(path).text


def test_the_console_moves_time_declines_cards_and_sends_again(sandbox, portal):
    subscription, _, _ = portal
    sandbox.offline.deliver()
    sandbox.received.clear()
    event = sandbox.v1.events.list({"type": "customer.subscription.created"}).data[0]
    sandbox.browser.post(f"/offline/console/resend/{event.id}")
    sandbox.offline.deliver()
    sandbox.browser.post(f"/offline/console/decline/{subscription.customer}", data={"decline": "yes"})
    sandbox.browser.post("/offline/console/advance", data={"seconds": str(31 * DAY)})

    page = sandbox.browser.get("/offline").text
    assert [each["id"] for each in sandbox.received] == [event.id]
    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "past_due"
    assert all(text in page for text in ("This is not Stripe", "past due", "ana@example.com", "31 days"))


def test_the_console_shows_connected_accounts_and_what_happens_in_them(sandbox):
    account = sandbox.v1.accounts.create({"type": "express", "country": "FR", "email": "studio@example.com"})
    back = "http://127.0.0.1:5000/back"
    asked = {"account": account.id, "type": "account_onboarding", "refresh_url": back, "return_url": back}
    before = sandbox.browser.get("/offline").text
    sandbox.browser.post(sandbox.path(sandbox.v1.account_links.create(asked).url))
    own = {"stripe_account": account.id}
    customer = sandbox.v1.customers.create({"email": "theirs@example.com"}, own)
    charge = {"amount": 5000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True, "application_fee_amount": 350}
    sandbox.v1.payment_intents.create(charge, own)
    page = sandbox.browser.get("/offline").text
    sandbox.browser.post(f"/offline/console/decline/{customer.id}", data={"decline": "yes", "account": account.id})
    with pytest.raises(stripe.CardError):
        sandbox.v1.payment_intents.create({**charge, "customer": customer.id}, own)
    sandbox.browser.post(f"/offline/console/account/{account.id}", data={"do": "restrict"})

    assert "onboarding" in before
    assert all(text in page for text in ("studio@example.com", "theirs@example.com", "€3.50", f"of {account.id}"))
    assert not sandbox.v1.accounts.retrieve(account.id).charges_enabled


def test_the_console_sends_a_connected_accounts_event_again(sandbox):
    connect = {"url": "http://127.0.0.1:9/connect", "enabled_events": ["*"], "connect": True}
    sandbox.v1.webhook_endpoints.create(connect)
    account = sandbox.v1.accounts.create({"type": "express", "country": "FR"})
    sandbox.v1.customers.create({}, {"stripe_account": account.id})
    event = sandbox.v1.events.list({"type": "customer.created"}, {"stripe_account": account.id}).data[0]
    sandbox.browser.post(f"/offline/console/resend/{event.id}", data={"account": account.id})

    waiting = [each["endpoint"] for each in sandbox.offline.world.store.all("delivery") if each["event"] == event.id]
    assert len(waiting) == 4


def test_a_pages_text_is_escaped(sandbox):
    sandbox.v1.customers.create({"email": "<script>alert(1)</script>@x.example"})

    assert "<script>" not in sandbox.browser.get("/offline").text


@pytest.mark.parametrize("path", ["/c/pay/none", "/p/session/none", "/invoice/none", "/nothing"])
def test_an_unknown_page_is_a_friendly_404(sandbox, path):
    answer = sandbox.browser.get(path)

    assert (answer.status_code, "This is not Stripe" in answer.text) == (404, True)


def test_the_sdk_reports_a_session_that_expires_too_soon(sandbox):
    price = sandbox.price()
    with pytest.raises(stripe.InvalidRequestError, match="expires_at"):
        sandbox.v1.checkout.sessions.create(
            {"mode": "subscription", "line_items": [{"price": price.id}], "expires_at": int(sandbox.offline.now.timestamp()) + 60}
        )


def test_a_portal_that_would_bill_otherwise_is_not_supported(sandbox):
    features = {"subscription_update": {"enabled": True, "default_allowed_updates": ["price"], "proration_behavior": "none"}}
    with pytest.raises(stripe.APIError) as refused:
        sandbox.v1.billing_portal.configurations.create({"features": features})

    assert refused.value.http_status == 501
