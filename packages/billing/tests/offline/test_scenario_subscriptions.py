"""Steps 37 to 66 of ninety: subscriptions, their changes and schedules, invoices, credit notes and taxes, through the official SDK."""

import pytest
import stripe

pytestmark = pytest.mark.sandbox
DAY = 86400


def refusal(call, *args):
    """Return the error that a call ends in."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*args)
    return caught.value


def item_of(subscription):
    return subscription["items"].data[0].id


def seconds(sandbox):
    return int(sandbox.offline.now.timestamp())


# ── Subscriptions ────────────────────────────────────────────────────────
def test_37_a_subscription_is_flexible_and_has_its_period_on_the_item(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    item = subscription["items"].data[0]

    assert (subscription.status, subscription.billing_mode.type) == ("active", "flexible")
    assert item.current_period_end - item.current_period_start == 28 * DAY
    assert not hasattr(subscription, "current_period_end")


def test_38_default_incomplete_waits_for_the_first_payment(sandbox):
    customer = sandbox.customer()
    asked = {"customer": customer.id, "items": [{"price": sandbox.price().id}], "payment_behavior": "default_incomplete"}
    subscription = sandbox.v1.subscriptions.create({**asked, "expand": ["latest_invoice.confirmation_secret"]})
    sandbox.v1.invoices.pay(subscription.latest_invoice.id)

    assert (subscription.status, subscription.latest_invoice.confirmation_secret.type) == ("incomplete", "payment_intent")
    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_39_an_unpaid_first_invoice_expires_the_subscription(sandbox):
    subscription = sandbox.subscribe(sandbox.price(), card="pm_card_chargeCustomerFail")
    sandbox.offline.advance(DAY)

    assert subscription.status == "incomplete"
    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "incomplete_expired"


def test_40_a_trial_begins_with_a_paid_invoice_of_nothing(sandbox):
    subscription = sandbox.subscribe(sandbox.price(), trial_period_days=14)
    invoice = sandbox.v1.invoices.retrieve(subscription.latest_invoice)

    assert (subscription.status, invoice.status, invoice.total) == ("trialing", "paid", 0)


def test_41_a_trial_ends_in_a_payment(sandbox):
    subscription = sandbox.subscribe(sandbox.price(), trial_period_days=14)
    sandbox.offline.advance(15 * DAY)

    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert sandbox.v1.invoices.list({"subscription": subscription.id}).data[0].amount_paid == 2900


def test_42_a_trial_without_a_card_pauses_and_is_resumed(sandbox):
    customer = sandbox.customer(card=None)
    how = {"end_behavior": {"missing_payment_method": "pause"}}
    asked = {"customer": customer.id, "items": [{"price": sandbox.price().id}], "trial_period_days": 7, "trial_settings": how}
    subscription = sandbox.v1.subscriptions.create(asked)
    sandbox.offline.advance(8 * DAY)
    paused = sandbox.v1.subscriptions.retrieve(subscription.id)
    method = sandbox.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    sandbox.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})

    assert (paused.status, paused.status_details.paused.subscription.type) == ("paused", "trial_end_without_payment_method")
    assert sandbox.v1.subscriptions.resume(subscription.id).status == "active"


def test_43_a_larger_quantity_is_prorated_to_the_second(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    sandbox.offline.advance(7 * DAY)
    change = {"items": [{"id": item_of(subscription), "quantity": 3}], "proration_behavior": "always_invoice"}
    changed = sandbox.v1.subscriptions.update(subscription.id, change)

    assert sandbox.v1.invoices.retrieve(changed.latest_invoice).total == 3 * 2100 - 2100


def test_44_a_change_can_wait_for_the_renewal(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    sandbox.offline.advance(14 * DAY)
    sandbox.v1.subscriptions.update(subscription.id, {"items": [{"id": item_of(subscription), "price": sandbox.price(5600).id}]})
    sandbox.offline.advance(15 * DAY)

    assert sandbox.v1.invoices.list({"subscription": subscription.id}).data[0].total == -1400 + 2800 + 5600


def test_45_a_change_without_proration_costs_nothing_now(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    change = {"items": [{"id": item_of(subscription), "price": sandbox.price(5600).id}], "proration_behavior": "none"}
    sandbox.v1.subscriptions.update(subscription.id, change)
    sandbox.offline.advance(29 * DAY)

    assert [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data] == [5600, 2800]


def test_46_a_yearly_price_begins_a_new_period_now(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2500))
    change = {"items": [{"id": item_of(subscription), "price": sandbox.price(25000, interval="year").id}]}
    changed = sandbox.v1.subscriptions.update(subscription.id, {**change, "proration_behavior": "always_invoice"})

    # The figures of a recording of Stripe itself: billing.md, E 36.
    assert sandbox.v1.invoices.retrieve(changed.latest_invoice).total == 25000 - 2500
    assert changed.billing_cycle_anchor == seconds(sandbox)


def test_47_a_credit_is_never_more_than_was_debited(sandbox):
    coupon = sandbox.v1.coupons.create({"percent_off": 50, "duration": "once"})
    subscription = sandbox.subscribe(sandbox.price(2800), discounts=[{"coupon": coupon.id}])
    sandbox.offline.advance(14 * DAY)
    item = {"id": item_of(subscription), "price": sandbox.price(5600).id}
    changed = sandbox.v1.subscriptions.update(subscription.id, {"items": [item], "proration_behavior": "always_invoice"})
    lines = sandbox.v1.invoices.retrieve(changed.latest_invoice).lines.data

    assert [each.amount for each in lines] == [-700, 2800]


def test_48_a_pending_update_keeps_the_old_plan_until_it_is_paid(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    dearer = sandbox.price(9900)
    sandbox.offline.decline(subscription.customer)
    change = {"items": [{"id": item_of(subscription), "price": dearer.id}], "proration_behavior": "always_invoice"}
    pending = sandbox.v1.subscriptions.update(subscription.id, {**change, "payment_behavior": "pending_if_incomplete"})
    sandbox.offline.decline(subscription.customer, declining=False)
    sandbox.v1.invoices.pay(pending.latest_invoice)
    after = sandbox.v1.subscriptions.retrieve(subscription.id)

    assert (pending.status, pending["items"].data[0].price.unit_amount) == ("active", 2800)
    assert pending.pending_update.subscription_items[0].price.id == dearer.id
    assert (after["items"].data[0].price.id, after.pending_update) == (dearer.id, None)


def test_49_a_pending_update_that_nobody_pays_is_forgotten(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    sandbox.offline.decline(subscription.customer)
    change = {"items": [{"id": item_of(subscription), "quantity": 9}], "proration_behavior": "always_invoice"}
    pending = sandbox.v1.subscriptions.update(subscription.id, {**change, "payment_behavior": "pending_if_incomplete"})
    sandbox.offline.advance(DAY)
    after = sandbox.v1.subscriptions.retrieve(subscription.id)

    assert (after.pending_update, after["items"].data[0].quantity) == (None, 1)
    assert sandbox.v1.invoices.retrieve(pending.latest_invoice).status == "void"


def test_50_cancelling_at_the_periods_end_says_when_it_was_asked(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    asked = sandbox.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    sandbox.offline.advance(29 * DAY)
    ended = sandbox.v1.subscriptions.retrieve(subscription.id)

    assert (asked.status, asked.cancel_at) == ("active", subscription["items"].data[0].current_period_end)
    assert (ended.status, ended.canceled_at, ended.cancel_at_period_end) == ("canceled", asked.canceled_at, False)


def test_51_cancelling_now_gives_the_rest_back_when_asked(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    sandbox.offline.advance(7 * DAY)
    ended = sandbox.v1.subscriptions.cancel(subscription.id, {"invoice_now": True, "prorate": True})

    assert ended.status == "canceled"
    assert sandbox.v1.customers.retrieve(subscription.customer).balance == -2100


def test_52_a_paused_collection_voids_what_falls_due_and_ends_by_itself(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2900))
    until = seconds(sandbox) + 40 * DAY
    sandbox.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void", "resumes_at": until}})
    sandbox.offline.advance(62 * DAY)
    statuses = [each.status for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data]

    assert statuses == ["paid", "void", "paid"]
    assert sandbox.v1.subscriptions.retrieve(subscription.id).pause_collection is None


def test_53_dunning_ends_unpaid_and_a_payment_brings_it_back(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(29 * DAY)
    late = sandbox.v1.subscriptions.retrieve(subscription.id)
    sandbox.offline.advance(10 * DAY)
    lost = sandbox.v1.subscriptions.retrieve(subscription.id)
    sandbox.offline.decline(subscription.customer, declining=False)
    sandbox.v1.invoices.pay(lost.latest_invoice)

    assert (late.status, lost.status) == ("past_due", "unpaid")
    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == "active"


@pytest.mark.parametrize("outcome", ["unpaid", "canceled", "past_due"])
def test_54_dunning_ends_as_the_account_wants(make_sandbox, outcome):
    sandbox = make_sandbox(after_retries=outcome)
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(40 * DAY)

    assert sandbox.v1.subscriptions.retrieve(subscription.id).status == outcome


def test_55_a_schedule_downgrades_at_the_periods_end(sandbox):
    dear, cheap = sandbox.price(5800), sandbox.price(2900)
    subscription = sandbox.subscribe(dear)
    schedule = sandbox.v1.subscription_schedules.create({"from_subscription": subscription.id})
    first = {"items": [{"price": dear.id}], "end_date": schedule.phases[0].end_date}
    sandbox.v1.subscription_schedules.update(schedule.id, {"phases": [first, {"items": [{"price": cheap.id}]}]})
    sandbox.offline.advance(29 * DAY)

    assert [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id}).data] == [2900, 5800]


def test_56_a_released_schedule_changes_nothing_more(sandbox):
    subscription = sandbox.subscribe(sandbox.price(5800))
    schedule = sandbox.v1.subscription_schedules.create({"from_subscription": subscription.id})
    released = sandbox.v1.subscription_schedules.release(schedule.id)

    assert (released.status, released.released_subscription) == ("released", subscription.id)
    assert sandbox.v1.subscriptions.retrieve(subscription.id).schedule is None


def test_57_a_schedule_starts_a_subscription_later_and_ends_it(sandbox):
    customer, price = sandbox.customer(), sandbox.price(2900)
    phase = {"items": [{"price": price.id}], "duration": {"interval": "month", "interval_count": 2}}
    asked = {"customer": customer.id, "start_date": seconds(sandbox) + DAY, "end_behavior": "cancel", "phases": [phase]}
    schedule = sandbox.v1.subscription_schedules.create(asked)
    sandbox.offline.advance(2 * DAY)
    started = sandbox.v1.subscriptions.list({"customer": customer.id}).data[0]
    sandbox.offline.advance(62 * DAY)

    assert (schedule.status, started.status) == ("not_started", "active")
    assert sandbox.v1.subscriptions.retrieve(started.id).status == "canceled"
    assert sandbox.v1.subscription_schedules.retrieve(schedule.id).status == "completed"


# ── Invoices ─────────────────────────────────────────────────────────────
def test_58_a_preview_says_what_a_change_costs_and_keeps_nothing(sandbox):
    subscription = sandbox.subscribe(sandbox.price(2800))
    sandbox.offline.advance(14 * DAY)
    change = {"items": [{"id": item_of(subscription), "price": sandbox.price(5600).id}], "proration_behavior": "always_invoice"}
    preview = sandbox.v1.invoices.create_preview({"subscription": subscription.id, "subscription_details": change})

    assert preview.total == -1400 + 2800
    assert len(sandbox.v1.invoices.list({"subscription": subscription.id}).data) == 1


def test_59_a_new_subscription_is_previewed(sandbox):
    details = {"items": [{"price": sandbox.price(2000).id, "quantity": 2}]}
    preview = sandbox.v1.invoices.create_preview({"customer": sandbox.customer().id, "subscription_details": details})

    assert (preview.total, preview.status) == (4000, "draft")


def test_60_an_invoice_by_hand_gathers_items_is_finalised_and_paid(sandbox):
    customer = sandbox.customer()
    sandbox.v1.invoice_items.create({"customer": customer.id, "amount": 700, "currency": "eur", "description": "waiting"})
    draft = sandbox.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include"})
    sandbox.v1.invoice_items.create({"customer": customer.id, "invoice": draft.id, "amount": 300, "currency": "eur"})
    opened = sandbox.v1.invoices.finalize_invoice(draft.id)
    paid = sandbox.v1.invoices.pay(draft.id)

    assert (draft.total, opened.total, opened.status) == (700, 1000, "open")
    assert (paid.status, paid.amount_paid, paid.attempt_count) == ("paid", 1000, 1)
    assert sandbox.v1.invoice_payments.list({"invoice": draft.id}).data[0].status == "paid"


def test_61_a_draft_is_deleted_and_its_items_wait_again(sandbox):
    customer = sandbox.customer()
    item = sandbox.v1.invoice_items.create({"customer": customer.id, "amount": 700, "currency": "eur"})
    draft = sandbox.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include"})
    sandbox.v1.invoices.delete(draft.id)

    assert sandbox.v1.invoice_items.retrieve(item.id).invoice is None


def test_62_an_invoice_is_sent_becomes_overdue_and_is_written_off(sandbox):
    customer = sandbox.customer()
    asked = {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 14}
    draft = sandbox.v1.invoices.create(asked)
    sandbox.v1.invoice_items.create({"customer": customer.id, "invoice": draft.id, "amount": 5000, "currency": "eur"})
    sent = sandbox.v1.invoices.send_invoice(draft.id)
    sandbox.offline.advance(15 * DAY)

    assert (sent.status, sent.due_date) == ("open", draft.created + 14 * DAY)
    assert "invoice.overdue" in sandbox.event_types()
    assert sandbox.v1.invoices.mark_uncollectible(draft.id).status == "uncollectible"


def test_63_an_open_invoice_is_voided_or_paid_out_of_band(sandbox):
    voided, settled = (sandbox.subscribe(sandbox.price(), card="pm_card_chargeCustomerFail") for _ in range(2))
    sandbox.v1.invoices.void_invoice(voided.latest_invoice)
    paid = sandbox.v1.invoices.pay(settled.latest_invoice, {"paid_out_of_band": True})

    assert sandbox.v1.invoices.retrieve(voided.latest_invoice).status == "void"
    assert (paid.status, paid.amount_paid_off_stripe) == ("paid", 2900)


def test_64_an_invoice_has_a_page_and_a_pdf(sandbox):
    invoice = sandbox.v1.invoices.retrieve(sandbox.subscribe(sandbox.price()).latest_invoice)
    page = sandbox.browser.get(sandbox.path(invoice.hosted_invoice_url))
    pdf = sandbox.browser.get(sandbox.path(invoice.invoice_pdf))

    assert (page.status_code, invoice.number in page.text) == (200, True)
    assert pdf.data.startswith(b"%PDF")


# ── Credit notes and taxes ───────────────────────────────────────────────
def test_65_credit_notes_lower_an_open_invoice_and_give_a_paid_one_back(sandbox):
    unpaid = sandbox.subscribe(sandbox.price(2900), card="pm_card_chargeCustomerFail")
    paid = sandbox.subscribe(sandbox.price(2900))
    sandbox.v1.credit_notes.create({"invoice": unpaid.latest_invoice, "amount": 900})
    note = sandbox.v1.credit_notes.create({"invoice": paid.latest_invoice, "amount": 1000, "refund_amount": 600, "credit_amount": 400})

    assert sandbox.v1.invoices.retrieve(unpaid.latest_invoice).amount_remaining == 2000
    assert (note.type, sandbox.v1.refunds.list().data[0].amount) == ("post_payment", 600)
    assert sandbox.v1.customers.retrieve(paid.customer).balance == -400
    assert (
        refusal(sandbox.v1.credit_notes.create, {"invoice": paid.latest_invoice, "amount": 1901, "refund_amount": 1901}).param == "amount"
    )


def test_66_taxes_are_added_contained_or_left_to_the_simple_automatic(sandbox):
    on_top = sandbox.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False})
    inside = sandbox.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": True})
    invoices = []
    for rate in (on_top, inside):
        subscription = sandbox.subscribe(sandbox.price(3000), default_tax_rates=[rate.id])
        invoices.append(sandbox.v1.invoices.retrieve(subscription.latest_invoice))
    customer = sandbox.customer(address={"country": "DE"})
    asked = {"customer": customer.id, "items": [{"price": sandbox.price(3000).id}], "automatic_tax": {"enabled": True}}
    automatic = sandbox.v1.invoices.retrieve(sandbox.v1.subscriptions.create(asked).latest_invoice)

    assert [(each.total, each.total_excluding_tax, each.total_taxes[0].amount) for each in invoices] == [
        (3600, 3000, 600),
        (3000, 2500, 500),
    ]
    assert (automatic.total, automatic.automatic_tax.status) == (3570, "complete")
