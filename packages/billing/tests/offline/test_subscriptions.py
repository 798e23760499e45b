"""What becomes of a subscription: its periods, its invoices, and the ways it ends."""

import pytest
import stripe

DAY = 86400
JANUARY_31, FEBRUARY_28, MARCH_31 = 1769860800, 1772280000, 1774958400


def test_a_paid_subscription_is_active_and_has_its_period_on_the_item(sandbox):
    subscription = sandbox.subscribe(sandbox.price())

    item = subscription["items"].data[0]
    assert subscription.status == "active"
    assert (item.current_period_start, item.current_period_end) == (JANUARY_31, FEBRUARY_28)
    assert "current_period_end" not in subscription
    assert subscription.billing_mode.type == "flexible"


def test_the_first_invoice_names_its_parent_and_its_payment(sandbox):
    subscription = sandbox.subscribe(sandbox.price(), expand=["latest_invoice.payments"])

    invoice = subscription.latest_invoice
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 2900, 0)
    assert invoice.payments.data[0].payment.payment_intent.startswith("pi_")
    assert invoice.payments.data[0].amount_paid == 2900


def test_a_short_month_does_not_move_the_later_periods(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.advance(30 * DAY)

    item = sandbox.v1.subscriptions.retrieve(subscription.id)["items"].data[0]
    assert (item.current_period_start, item.current_period_end) == (FEBRUARY_28, MARCH_31)


def test_a_year_of_months_is_twelve_paid_renewals(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.advance(366 * DAY)

    invoices = sandbox.v1.invoices.list({"subscription": subscription.id, "limit": 100}).data
    assert [each.billing_reason for each in invoices] == ["subscription_cycle"] * 12 + ["subscription_create"]
    assert {each.status for each in invoices} == {"paid"}
    assert len({each.number for each in invoices}) == 13


def test_a_renewal_sends_the_events_that_stripe_sends(sandbox):
    sandbox.subscribe(sandbox.price())
    sandbox.offline.deliver()
    sandbox.received.clear()
    sandbox.offline.advance(29 * DAY)
    sandbox.offline.deliver()

    assert [each["type"] for each in sandbox.received] == [
        "invoice.upcoming",
        "invoice.created",
        "customer.subscription.updated",
        "invoice.updated",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


def test_a_failing_card_is_tried_four_more_times_and_then_leaves_the_subscription_unpaid(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(29 * DAY)
    after_first = sandbox.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    sandbox.offline.advance(8 * DAY)

    after_all = sandbox.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert (after_first.status, after_first.latest_invoice.attempt_count) == ("past_due", 1)
    assert after_first.latest_invoice.next_payment_attempt == FEBRUARY_28 + 3600 + DAY
    assert (after_all.status, after_all.latest_invoice.attempt_count) == ("unpaid", 5)
    assert after_all.latest_invoice.next_payment_attempt is None
    assert sandbox.v1.customers.retrieve(subscription.customer).delinquent is True


@pytest.mark.parametrize(("setting", "event"), [("canceled", "customer.subscription.deleted"), ("past_due", "invoice.payment_failed")])
def test_the_account_decides_what_follows_the_last_retry(make_sandbox, setting, event):
    sandbox = make_sandbox(after_retries=setting)
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(37 * DAY)

    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == setting
    assert event in sandbox.event_types()


@pytest.mark.parametrize("days", [29, 37])
def test_paying_the_open_invoice_makes_it_active_again(sandbox, days):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(days * DAY)
    sandbox.offline.decline(subscription.customer, declining=False)
    invoice = sandbox.v1.invoices.list({"customer": subscription.customer, "status": "open"}).data[0]
    sandbox.v1.invoices.pay(invoice.id)

    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert sandbox.v1.customers.retrieve(subscription.customer).delinquent is False


def test_a_declined_payment_by_the_api_stays_on_record(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(29 * DAY)
    invoice = sandbox.v1.invoices.list({"customer": subscription.customer, "status": "open"}).data[0]
    with pytest.raises(stripe.CardError) as refused:
        sandbox.v1.invoices.pay(invoice.id)

    assert (refused.value.code, refused.value.error.decline_code) == ("card_declined", "generic_decline")
    assert sandbox.v1.invoices.retrieve(invoice.id).attempt_count == 2


def test_a_trial_gives_a_paid_invoice_of_nothing_and_then_a_real_one(sandbox):
    subscription = sandbox.subscribe(sandbox.price(), trial_period_days=14, expand=["latest_invoice"])
    first = subscription.latest_invoice
    sandbox.offline.advance(15 * DAY)

    renewed = sandbox.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert (subscription.status, first.status, first.total) == ("trialing", "paid", 0)
    assert (renewed.status, renewed.latest_invoice.status, renewed.latest_invoice.total) == ("active", "paid", 2900)
    assert "customer.subscription.trial_will_end" in sandbox.event_types()


def test_a_trial_that_ends_by_request_bills_at_once(sandbox):
    subscription = sandbox.subscribe(sandbox.price(), trial_period_days=14)
    ended = sandbox.v1.subscriptions.update(subscription.id, {"trial_end": "now", "expand": ["latest_invoice"]})

    assert (ended.status, ended.latest_invoice.status, ended.latest_invoice.total) == ("active", "paid", 2900)
    assert ended["items"].data[0].current_period_end == FEBRUARY_28


def test_a_trial_without_a_card_can_end_the_subscription(sandbox):
    price, customer = sandbox.price(), sandbox.customer(card=None)
    ending = {"trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}}}
    subscription = sandbox.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": price.id}], "trial_period_days": 7, **ending}
    )
    sandbox.offline.advance(8 * DAY)

    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "canceled"


def test_cancelling_at_the_end_is_noted_at_once_and_happens_later(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.advance(DAY)
    asked = sandbox.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    sandbox.offline.advance(28 * DAY)

    ended = sandbox.v1.subscriptions.retrieve(subscription.id)
    assert (asked.status, asked.cancel_at, asked.canceled_at) == ("active", FEBRUARY_28, JANUARY_31 + DAY)
    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", FEBRUARY_28, JANUARY_31 + DAY)
    assert ended.cancel_at_period_end is False
    assert len(sandbox.v1.invoices.list({"subscription": subscription.id}).data) == 1


def test_a_cancellation_can_be_taken_back(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    sandbox.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    sandbox.offline.advance(29 * DAY)

    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_cancelling_now_ends_it_and_nothing_renews(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    ended = sandbox.v1.subscriptions.cancel(subscription.id, {"cancellation_details": {"comment": "moving away"}})
    sandbox.offline.advance(60 * DAY)

    assert (ended.status, ended.cancellation_details.comment) == ("canceled", "moving away")
    assert len(sandbox.v1.invoices.list({"subscription": subscription.id}).data) == 1


def test_an_upgrade_within_the_interval_credits_and_charges_by_the_second(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    bigger = sandbox.price(5600, product="Studio")
    sandbox.offline.advance(14 * DAY)
    item = subscription["items"].data[0].id
    changed = sandbox.v1.subscriptions.update(
        subscription.id, {"items": [{"id": item, "price": bigger.id}], "proration_behavior": "always_invoice", "expand": ["latest_invoice"]}
    )

    assert [line.amount for line in changed.latest_invoice.lines.data] == [-1400, 2800]
    assert (changed.latest_invoice.amount_paid, changed.latest_invoice.billing_reason) == (1400, "subscription_update")
    assert changed["items"].data[0].current_period_end == FEBRUARY_28


def test_month_to_year_begins_a_new_period_and_credits_the_rest(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2500))
    yearly = sandbox.price(25000, interval="year")
    changed = sandbox.v1.subscriptions.update(
        subscription.id,
        {
            "items": [{"id": subscription["items"].data[0].id, "price": yearly.id}],
            "proration_behavior": "always_invoice",
            "expand": ["latest_invoice"],
        },
    )

    assert changed.latest_invoice.total == 22500
    assert changed.billing_cycle_anchor == JANUARY_31
    assert changed["items"].data[0].current_period_end == JANUARY_31 + 365 * DAY


def test_a_downgrade_leaves_a_credit_that_later_invoices_use(sandbox):
    subscription = sandbox.subscribe(sandbox.price(5600))
    smaller = sandbox.price(2800)
    sandbox.v1.subscriptions.update(
        subscription.id, {"items": [{"id": subscription["items"].data[0].id, "price": smaller.id}], "proration_behavior": "always_invoice"}
    )
    credit = sandbox.v1.customers.retrieve(subscription.customer).balance
    sandbox.offline.advance(29 * DAY)

    renewal = sandbox.v1.invoices.list({"subscription": subscription.id}).data[0]
    assert credit == -2800
    assert (renewal.total, renewal.amount_due, renewal.starting_balance, renewal.ending_balance) == (2800, 0, -2800, 0)


def test_prorations_that_are_not_billed_now_wait_for_the_renewal(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    sandbox.offline.advance(14 * DAY)
    item = {"id": subscription["items"].data[0].id, "quantity": 2}
    sandbox.v1.subscriptions.update(subscription.id, {"items": [item]})
    sandbox.offline.advance(15 * DAY)

    renewal = sandbox.v1.invoices.list({"subscription": subscription.id}).data[0]
    assert [line.amount for line in renewal.lines.data] == [-1400, 2800, 5600]


def test_a_preview_shows_what_the_change_then_costs(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2900))
    yearly = sandbox.price(29000, interval="year")
    sandbox.offline.advance(10 * DAY + 12345)
    change = {"items": [{"id": subscription["items"].data[0].id, "price": yearly.id}], "proration_behavior": "always_invoice"}
    preview = sandbox.v1.invoices.create_preview({"subscription": subscription.id, "subscription_details": change})
    before = len(sandbox.v1.invoices.list().data)
    changed = sandbox.v1.subscriptions.update(subscription.id, {**change, "expand": ["latest_invoice"]})

    assert preview.amount_due == changed.latest_invoice.amount_due
    assert before == 1


def test_an_upgrade_that_must_be_paid_leaves_the_old_plan_when_it_is_not(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2900))
    bigger = sandbox.price(7900)
    sandbox.offline.decline(subscription.customer)
    change = {"items": [{"id": subscription["items"].data[0].id, "price": bigger.id}], "proration_behavior": "always_invoice"}
    with pytest.raises(stripe.CardError):
        sandbox.v1.subscriptions.update(subscription.id, {**change, "payment_behavior": "error_if_incomplete"})

    kept = sandbox.v1.subscriptions.retrieve(subscription.id)
    assert kept["items"].data[0].price.unit_amount == 2900
    assert (kept.status, len(sandbox.v1.invoices.list().data)) == ("active", 1)


def test_a_first_payment_that_fails_leaves_it_incomplete_and_then_expired(sandbox):
    price, customer = sandbox.price(), sandbox.customer("pm_card_chargeCustomerFail")
    subscription = sandbox.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    sandbox.offline.advance(24 * 3600)

    expired = sandbox.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert subscription.status == "incomplete"
    assert (expired.status, expired.latest_invoice.status) == ("incomplete_expired", "void")


def test_a_first_payment_that_wants_3d_secure_waits_for_it(sandbox):
    price, customer = sandbox.price(), sandbox.customer("pm_card_authenticationRequired")
    subscription = sandbox.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    invoice = sandbox.v1.invoices.retrieve(subscription.latest_invoice, {"expand": ["payments.data.payment.payment_intent"]})
    intent = invoice.payments.data[0].payment.payment_intent
    page = sandbox.path(invoice.hosted_invoice_url)
    sandbox.browser.post(f"{page}/confirm", data={"answer": "pass"})

    assert (subscription.status, intent.status) == ("incomplete", "requires_action")
    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_without_a_card_nothing_begins(sandbox):
    price, customer = sandbox.price(), sandbox.customer(card=None)
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        sandbox.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})

    assert sandbox.v1.subscriptions.list({"status": "all"}).data == []


def test_deleting_a_customer_ends_the_subscriptions(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.v1.customers.delete(subscription.customer)

    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert sandbox.v1.customers.retrieve(subscription.customer).deleted is True


def test_a_customer_keeps_the_currency_of_the_first_invoice(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    made = sandbox.v1.products.create({"name": "Abroad"})
    dollars = sandbox.v1.prices.create({"product": made.id, "currency": "usd", "unit_amount": 1, "recurring": {"interval": "month"}})
    item = {"id": subscription["items"].data[0].id, "price": dollars.id}
    line = {"price": dollars.id, "quantity": 1}
    for attempt in (
        lambda: sandbox.v1.subscriptions.update(subscription.id, {"items": [item]}),
        lambda: sandbox.v1.subscriptions.create({"customer": subscription.customer, "items": [{"price": dollars.id}]}),
        lambda: sandbox.v1.checkout.sessions.create({"mode": "subscription", "customer": subscription.customer, "line_items": [line]}),
    ):
        with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
            attempt()

    assert len(sandbox.v1.subscriptions.list().data) == 1


def test_what_is_paid_once_is_on_the_first_invoice_only(sandbox):
    product = sandbox.v1.products.create({"name": "Setup"})
    setup = sandbox.v1.prices.create({"product": product.id, "currency": "eur", "unit_amount": 9900})
    subscription = sandbox.subscribe(sandbox.price(2900), add_invoice_items=[{"price": setup.id, "quantity": 2}])
    sandbox.offline.advance(29 * 86400)

    assert [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data] == [2900, 2900 + 2 * 9900]


def test_only_a_single_price_is_paid_once(sandbox):
    with pytest.raises(stripe.InvalidRequestError, match="type=one_time"):
        sandbox.subscribe(sandbox.price(2900), add_invoice_items=[{"price": sandbox.price(100).id}])


def test_an_item_is_added_and_taken_away_by_itself(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    added = sandbox.v1.subscription_items.create(
        {"subscription": subscription.id, "price": sandbox.price(1400).id, "quantity": 2, "proration_behavior": "always_invoice"}
    )
    both = sandbox.v1.subscription_items.list({"subscription": subscription.id}).data
    gone = sandbox.v1.subscription_items.delete(added.id, {"proration_behavior": "always_invoice"})

    assert (added.quantity, len(both)) == (2, 2)
    assert [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data] == [-2800, 2800, 2800]
    assert gone.deleted
    assert len(sandbox.v1.subscriptions.retrieve(subscription.id)["items"].data) == 1


def test_the_last_item_stays(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    with pytest.raises(stripe.InvalidRequestError, match="at least one active plan"):
        sandbox.v1.subscription_items.delete(subscription["items"].data[0].id)


@pytest.mark.parametrize("number", ["4000008400001629", "4000008260003178"])
def test_a_card_that_passes_3d_secure_can_still_be_declined(sandbox, number):
    method = sandbox.v1.payment_methods.create({"type": "card", "card": {"number": number, "exp_month": 8, "exp_year": 2031, "cvc": "123"}})
    intent = sandbox.v1.payment_intents.create({"amount": 900, "currency": "eur", "payment_method": method.id, "confirm": True})
    sandbox.browser.post(sandbox.path(intent.next_action.redirect_to_url.url), data={"answer": "pass"})
    after = sandbox.v1.payment_intents.retrieve(intent.id)

    assert (intent.status, after.status, after.last_payment_error.code) == ("requires_action", "requires_payment_method", "card_declined")


def test_payment_methods_are_listed_by_type(sandbox):
    customer = sandbox.customer()
    debit = {
        "type": "sepa_debit",
        "sepa_debit": {"iban": "DE89370400440532013000"},
        "billing_details": {"name": "A", "email": "a@x.example"},
    }
    sandbox.v1.payment_methods.attach(sandbox.v1.payment_methods.create(debit).id, {"customer": customer.id})

    assert [each.type for each in sandbox.v1.payment_methods.list({"customer": customer.id, "type": "card"}).data] == ["card"]
