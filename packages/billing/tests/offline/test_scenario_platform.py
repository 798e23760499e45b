"""Steps 67 to 90 of ninety: pages, webhooks, time, the API's manners, faults, meters, entitlements and Connect."""

import pytest
import stripe

pytestmark = pytest.mark.sandbox
DAY = 86400


def refusal(call, *args):
    """Return the error that a call ends in."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*args)
    return caught.value


def seconds(sandbox):
    return int(sandbox.offline.now.timestamp())


CARD = {"email": "ana@example.com", "name": "Ana", "number": "4242424242424242", "expiry": "12 / 34", "cvc": "123"}


# ── Checkout and portal ──────────────────────────────────────────────────
def test_67_checkout_sells_a_subscription_on_its_page(sandbox):
    session = sandbox.v1.checkout.sessions.create(
        {"mode": "subscription", "line_items": [{"price": sandbox.price().id, "quantity": 1}], "success_url": "http://localhost/done"}
    )
    sandbox.browser.post(sandbox.path(session.url), data=CARD)
    done = sandbox.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})

    assert (done.status, done.payment_status, done.subscription.status) == ("complete", "paid", "active")


def test_68_checkout_declines_a_card_and_stays_open(sandbox):
    session = sandbox.v1.checkout.sessions.create(
        {"mode": "subscription", "line_items": [{"price": sandbox.price().id, "quantity": 1}], "success_url": "http://localhost/done"}
    )
    answer = sandbox.browser.post(sandbox.path(session.url), data={**CARD, "number": "4000000000000002"})

    assert answer.status_code == 402
    assert sandbox.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_69_an_abandoned_checkout_expires(sandbox):
    session = sandbox.v1.checkout.sessions.create({"mode": "subscription", "line_items": [{"price": sandbox.price().id, "quantity": 1}]})
    sandbox.pass_account_time(DAY + 1)

    assert sandbox.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert sandbox.event_types()[-1] == "checkout.session.expired"


def test_70_the_portal_shows_a_customers_subscription(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    session = sandbox.v1.billing_portal.sessions.create({"customer": subscription.customer, "return_url": "http://localhost/"})
    page = sandbox.browser.get(sandbox.path(session.url))

    assert (page.status_code, "Solo" in page.text, "not Stripe" in page.text) == (200, True, True)


# ── Webhooks and events ──────────────────────────────────────────────────
def test_71_webhooks_are_signed_so_that_the_sdk_can_tell(sandbox):
    sandbox.subscribe(sandbox.price())
    sandbox.offline.deliver()

    assert [each["type"] for each in sandbox.received] == sandbox.event_types()


def test_72_an_endpoint_hears_what_it_asked_for_and_is_switched_off(sandbox):
    asked = {"url": "http://127.0.0.1:9/own", "enabled_events": ["invoice.paid"]}
    endpoint = sandbox.v1.webhook_endpoints.create(asked)
    switched = sandbox.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})

    assert endpoint.secret.startswith("whsec_")
    assert switched.status == "disabled"


def test_73_events_are_listed_by_type_for_thirty_days(sandbox):
    sandbox.subscribe(sandbox.price(interval="year"))
    paid = sandbox.v1.events.list({"types": ["invoice.paid", "invoice.payment_succeeded"]})
    sandbox.pass_account_time(31 * DAY)

    assert {each.type for each in paid.data} == {"invoice.paid", "invoice.payment_succeeded"}
    assert sandbox.v1.events.list({"type": "invoice.paid"}).data == []


# ── Time ─────────────────────────────────────────────────────────────────
def test_74_a_test_clock_renews_its_own_customers_alone(sandbox):
    clock = sandbox.v1.test_helpers.test_clocks.create({"frozen_time": seconds(sandbox), "name": "a year"})
    customer = sandbox.customer(test_clock=clock.id)
    subscription = sandbox.v1.subscriptions.create({"customer": customer.id, "items": [{"price": sandbox.price(2900).id}]})
    bystander = sandbox.subscribe(sandbox.price(2900))
    moving = sandbox.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": seconds(sandbox) + 60 * DAY})

    assert (moving.status, sandbox.v1.test_helpers.test_clocks.retrieve(clock.id).status) == ("advancing", "ready")
    assert len(sandbox.v1.invoices.list({"subscription": subscription.id}).data) == 3
    assert len(sandbox.v1.invoices.list({"subscription": bystander.id}).data) == 1


def test_75_a_deleted_test_clock_takes_its_customers_with_it(sandbox):
    clock = sandbox.v1.test_helpers.test_clocks.create({"frozen_time": seconds(sandbox)})
    customer = sandbox.customer(test_clock=clock.id)
    sandbox.v1.test_helpers.test_clocks.delete(clock.id)

    assert sandbox.v1.customers.retrieve(customer.id).deleted


def test_76_a_year_of_month_ends_keeps_its_anchor(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.advance(120 * DAY)
    listed = sandbox.v1.invoices.list({"subscription": subscription.id}).data

    # From 31 January: 28 February, 31 March, 30 April.
    assert [(each.period_end - listed[-1].period_end) // DAY for each in reversed(listed)][:4] == [0, 28, 59, 89]


# ── Manners of the API ───────────────────────────────────────────────────
def test_77_an_idempotency_key_gives_one_object_and_refuses_other_parameters(sandbox):
    key = {"idempotency_key": "k"}
    first, second = (sandbox.v1.customers.create({"email": "a@example.com"}, key) for _ in range(2))

    assert first.id == second.id
    assert isinstance(refusal(sandbox.v1.customers.create, {"email": "b@example.com"}, key), stripe.IdempotencyError)


def test_78_a_stored_500_is_replayed_although_the_customer_exists(sandbox):
    sandbox.offline.fail_next("server_error", operation="post /v1/customers")
    for _ in range(2):
        assert refusal(sandbox.v1.customers.create, {"email": "a@example.com"}, {"idempotency_key": "k"}).http_status == 500

    assert len(sandbox.v1.customers.list().data) == 1


def test_79_a_time_out_after_the_effect_is_healed_by_the_same_key(sandbox):
    sandbox.offline.fail_next("timeout")
    lost = refusal(sandbox.v1.customers.create, {"email": "a@example.com"}, {"idempotency_key": "k"})
    again = sandbox.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "k"})

    assert isinstance(lost, stripe.APIConnectionError)
    assert [each.id for each in sandbox.v1.customers.list().data] == [again.id]


def test_80_too_many_requests_are_a_rate_limit(sandbox):
    sandbox.offline.limit_rate(3)
    for _ in range(3):
        sandbox.v1.customers.list()

    assert isinstance(refusal(sandbox.v1.customers.list), stripe.RateLimitError)
    sandbox.offline.advance(1)
    assert sandbox.v1.customers.list().data == []


def test_81_lists_are_walked_and_answers_expanded(sandbox):
    ids = [sandbox.v1.customers.create({"email": "walk@example.com"}).id for _ in range(5)]
    subscription = sandbox.subscribe(sandbox.price())
    whole = sandbox.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice.payments", "customer"]})

    assert [each.id for each in sandbox.v1.customers.list({"limit": 2, "email": "walk@example.com"}).auto_paging_iter()] == ids[::-1]
    assert (whole.latest_invoice.payments.data[0].status, whole.customer.email) == ("paid", "ana@example.com")


def test_82_a_search_finds_what_is_a_minute_old(sandbox):
    wanted = sandbox.v1.customers.create({"email": "a@example.com", "metadata": {"tenant": "t1"}})
    sandbox.v1.customers.create({"email": "b@example.com", "metadata": {"tenant": "t2"}})
    query = {"query": "metadata['tenant']:'t1' AND email~'example'"}
    early = sandbox.v1.customers.search(query)
    sandbox.pass_account_time(61)

    assert early.data == []
    assert [each.id for each in sandbox.v1.customers.search(query).data] == [wanted.id]


def test_83_unknown_and_wrong_parameters_are_refused_by_name(sandbox):
    unknown = refusal(sandbox.v1.customers.create, {"nickname": "x"})
    wrong = refusal(sandbox.v1.prices.create, {"currency": "eur", "unit_amount": "much", "product_data": {"name": "x"}})

    assert (unknown.code, unknown.param) == ("parameter_unknown", "nickname")
    assert (wrong.code, wrong.param) == ("parameter_invalid_integer", "unit_amount")


# ── Meters and entitlements ──────────────────────────────────────────────
def test_84_a_meter_counts_each_event_once_and_sums_it_up(sandbox):
    asked = {"display_name": "Minutes", "event_name": "minutes", "default_aggregation": {"formula": "sum"}}
    meter, customer = sandbox.v1.billing.meters.create(asked), sandbox.customer(card=None)
    event = {"event_name": "minutes", "payload": {"stripe_customer_id": customer.id, "value": "25"}, "identifier": "e1"}
    sandbox.v1.billing.meter_events.create(event)
    twice = refusal(sandbox.v1.billing.meter_events.create, event)
    sandbox.v1.billing.meter_events.create({**event, "identifier": "e2"})
    window = {"customer": customer.id, "start_time": seconds(sandbox) - 60, "end_time": seconds(sandbox) + 60}

    assert twice.code == "duplicate_meter_event"
    assert [each.aggregated_value for each in sandbox.v1.billing.meters.event_summaries.list(meter.id, window).data] == [50]


def test_85_a_subscription_brings_its_products_features(sandbox):
    price = sandbox.price()
    feature = sandbox.v1.entitlements.features.create({"name": "Mixing", "lookup_key": "mixing"})
    sandbox.v1.products.features.create(price.product, {"entitlement_feature": feature.id})
    subscription = sandbox.subscribe(price)
    active = sandbox.v1.entitlements.active_entitlements.list({"customer": subscription.customer})
    sandbox.v1.subscriptions.cancel(subscription.id)

    assert [each.lookup_key for each in active.data] == ["mixing"]
    assert sandbox.v1.entitlements.active_entitlements.list({"customer": subscription.customer}).data == []


# ── Connect ──────────────────────────────────────────────────────────────
def studio(sandbox):
    """Return an account that has been through onboarding."""
    account = sandbox.v1.accounts.create({"type": "express", "email": "studio@example.com", "country": "FR"})
    asked = {"account": account.id, "type": "account_onboarding", "refresh_url": "http://localhost/r", "return_url": "http://localhost/b"}
    link = sandbox.v1.account_links.create(asked)
    sandbox.browser.post(sandbox.path(link.url))
    return account


def test_86_a_studio_is_onboarded_on_its_page(sandbox):
    account = studio(sandbox)
    ready = sandbox.v1.accounts.retrieve(account.id)

    assert (account.charges_enabled, ready.charges_enabled, ready.details_submitted) == (False, True, True)


def test_87_a_direct_charge_belongs_to_the_studio_and_leaves_a_fee(sandbox):
    account = studio(sandbox)
    asked = {"amount": 10000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True, "application_fee_amount": 500}
    intent = sandbox.v1.payment_intents.create(asked, {"stripe_account": account.id})
    fee = sandbox.v1.application_fees.list().data[0]
    back = {"payment_intent": intent.id, "amount": 5000, "refund_application_fee": True}
    sandbox.v1.refunds.create(back, {"stripe_account": account.id})

    assert (fee.amount, fee.account, fee.charge) == (500, account.id, intent.latest_charge)
    assert sandbox.v1.application_fees.retrieve(fee.id).amount_refunded == 250
    assert sandbox.v1.payment_intents.list().data == []


def test_88_a_destination_charge_is_passed_on_and_taken_back(sandbox):
    account = studio(sandbox)
    asked = {"amount": 10000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True, "application_fee_amount": 1000}
    intent = sandbox.v1.payment_intents.create({**asked, "transfer_data": {"destination": account.id}})
    transfer = sandbox.v1.transfers.list({"destination": account.id}).data[0]
    fee = sandbox.v1.application_fees.list().data[0]
    sandbox.v1.refunds.create({"payment_intent": intent.id, "reverse_transfer": True, "refund_application_fee": True})

    assert (transfer.amount, fee.amount, fee.account) == (10000, 1000, account.id)
    assert sandbox.v1.application_fees.retrieve(fee.id).refunded
    assert sandbox.v1.transfers.retrieve(transfer.id).reversed


def test_89_one_studio_never_sees_another(sandbox):
    one, other = studio(sandbox), studio(sandbox)
    customer = sandbox.v1.customers.create({"email": "c@example.com"}, {"stripe_account": one.id})

    assert refusal(sandbox.v1.customers.retrieve, customer.id, {}, {"stripe_account": other.id}).code == "resource_missing"
    assert refusal(sandbox.v1.customers.retrieve, customer.id).code == "resource_missing"
    assert sandbox.v1.customers.retrieve(customer.id, {}, {"stripe_account": one.id}).email == "c@example.com"


def test_90_a_studio_that_leaves_is_heard_of_and_out_of_reach(sandbox):
    account = studio(sandbox)
    sandbox.offline.deauthorize(account.id)
    sandbox.offline.deliver()

    assert (sandbox.received[-1]["type"], sandbox.received[-1]["account"]) == ("account.application.deauthorized", account.id)
    assert isinstance(refusal(sandbox.v1.customers.list, {}, {"stripe_account": account.id}), stripe.PermissionError)
