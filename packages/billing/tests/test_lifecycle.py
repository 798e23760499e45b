"""Ending, pausing, going on, and suspensions that only a person lifts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from roomtone_billing import CancelReason, Cause, PeriodRenewed, Phase, Status
from roomtone_billing.errors import NoCustomer, NotSubscribed, UnknownAccount


def test_cancelling_keeps_what_is_paid_and_resuming_takes_it_back(host):
    account, _ = host.subscribed()
    end = account.subscriptions()[0].period_end

    canceled = account.cancel(reason=CancelReason.too_expensive, comment="dear")
    assert (canceled.phase, canceled.cancel_at, canceled.may_write) == (Phase.active, end, True)
    assert account.resume().cancel_at is None

    host.clock.move(days=32)
    assert account.sync().phase is Phase.active


def test_a_cancellation_at_a_moment_ends_there(host):
    account, subscription = host.subscribed()
    moment = host.clock() + timedelta(days=10)

    assert account.cancel(at=moment).cancel_at == moment
    assert account.resume().cancel_at is None
    account.cancel(at=moment)
    host.clock.move(days=11)

    assert account.sync().phase is Phase.read_only
    assert account.access().cause is Cause.subscription_ended
    assert host.stripe.api.subscriptions.retrieve(subscription).status == "canceled"


def test_a_subscription_canceled_now_is_over_and_cannot_be_resumed(host):
    account, subscription = host.subscribed()
    access = account.cancel(at="now", comment="bye")

    details = host.stripe.api.subscriptions.retrieve(subscription).cancellation_details
    assert (access.phase, access.is_subscribed, details.comment) == (Phase.read_only, False, "bye")
    with pytest.raises(NotSubscribed):
        account.resume()
    with pytest.raises(NotSubscribed):
        account.cancel(at="now")


def test_the_flag_that_stripe_resets_when_a_subscription_ends_leaves_no_pending_cancellation(host):
    account, _ = host.subscribed()
    account.cancel()

    access = account.cancel(at="now")

    assert (access.cancel_at, account.subscriptions()[0].cancel_at) == (None, None)


def test_a_moment_that_has_passed_is_refused(host):
    account, _ = host.subscribed()

    with pytest.raises(ValueError, match="not in the future"):
        account.cancel(at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="not in the future"):
        account.pause(until=datetime(2020, 1, 1, tzinfo=UTC))


def test_there_must_be_something_to_cancel(host):
    with pytest.raises(UnknownAccount):
        host.billing.account("nobody").cancel()
    host.start_trial()
    with pytest.raises(NoCustomer):
        host.billing.account("a").cancel()


def test_a_paused_account_reads_and_is_charged_nothing(host):
    account, subscription = host.subscribed()
    host.clock.move(days=3)
    access = account.pause(reason="holidays")
    paused_at = host.clock()
    host.stripe.renew(subscription)
    later = account.sync()
    host.drain()

    assert (access.phase, access.cause, access.since) == (Phase.read_only, Cause.paused, paused_at)
    assert (later.phase, account.invoices()[0].status) == (Phase.read_only, "void")
    assert not host.keys(PeriodRenewed)


def test_a_period_that_was_never_paid_is_not_announced_after_the_pause(host):
    account, subscription = host.subscribed()
    account.pause()
    host.stripe.renew(subscription)
    access = account.resume()
    host.drain()

    assert access.phase is Phase.active
    assert not host.keys(PeriodRenewed)
    host.stripe.renew(subscription)
    account.sync()
    host.drain()
    assert len(host.keys(PeriodRenewed)) == 1


def test_a_pause_ends_by_its_date(host):
    account, _ = host.subscribed()
    until = host.clock() + timedelta(days=5)

    assert account.pause(until=until).until == until
    host.clock.move(days=6)
    assert account.sync().phase is Phase.active


def test_a_suspension_by_the_host_outlives_payment_and_ends_by_hand(host):
    account, subscription = host.subscribed()
    suspended = account.suspend(reason="spam")
    host.stripe.renew(subscription)

    assert (suspended.phase, suspended.cause, suspended.reason) == (Phase.suspended, Cause.host, "spam")
    assert account.sync().phase is Phase.suspended
    assert account.lift_suspension(reason="settled").phase is Phase.active
    with pytest.raises(UnknownAccount):
        host.billing.account("nobody").suspend(reason="spam")


def test_lifting_a_suspension_by_hand_forgives_no_debt(host):
    account, subscription = host.subscribed()
    account.suspend(reason="spam")
    host.stripe.renew(subscription, is_paid=False)
    host.clock.move(days=20)
    account.sync()

    lifted = account.lift_suspension(reason="settled")

    assert (lifted.phase, lifted.cause) == (Phase.suspended, Cause.payment_failed)


def test_every_subscription_is_shown_with_what_it_sells_and_how_its_invoice_stands(host):
    account, first = host.subscribed()
    host.clock.move(minutes=1)
    second = host.stripe.subscribe(host.stripe.api.subscriptions.retrieve(first).customer, plan="pro")
    account.sync()

    main, other = account.subscriptions()

    assert (main.id, main.is_main, main.plan_key, main.seats, main.status) == (first, True, "starter", 1, Status.active)
    assert (other.id, other.is_main, other.plan_key) == (second, False, "pro")
    assert (main.payment.status, main.payment.amount_minor, main.payment.needs_action) == ("paid", 1900, False)
    account.cancel(at="now", subscription=second)
    assert account.access().plan_key == "starter"


def test_a_payment_that_the_bank_wants_confirmed_says_so_and_where(host):
    customer = host.customer()
    card = host.stripe.api.payment_methods.attach("pm_card_authenticationRequired", {"customer": customer})
    price = host.stripe.api.prices.list({"lookup_keys": ["starter_month"]}).data[0].id
    host.stripe.api.subscriptions.create({"customer": customer, "items": [{"price": price}], "default_payment_method": card.id})
    account = host.billing.account("a")
    account.sync()

    payment = account.subscriptions()[0].payment

    assert (payment.status, payment.needs_action) == ("open", True)
    assert payment.url.startswith("http")


def test_the_history_says_what_was_seen_and_who_did_what(host):
    account, subscription = host.subscribed()
    account.cancel(comment="dear")
    account.sync()

    (seen, canceled, bought) = account.history()

    assert (bought.what, bought.after["subscription"], bought.after["plan"]) == ("seen", subscription, "starter")
    assert (canceled.what, canceled.reason) == ("cancel", "dear")
    assert list(seen.after) == ["cancel_at"]
