"""Changing a plan: what is shown is what is charged, payment comes first, and nothing is done twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from roomtone_billing import Billing, Interval, Obstacle, Phase, PlanChanged
from roomtone_billing.errors import (
    ChangeError,
    ChangeInProgress,
    ChangeRefused,
    GatewayUnavailable,
    LimitsExceeded,
    NotSubscribed,
    PreviewOutdated,
    UnknownPlan,
    UnknownPreview,
)


def charged(host, subscription):
    """What the newest invoice took."""
    return host.stripe.api.invoices.list({"subscription": subscription}).data[0].amount_paid


def halfway(host, **subscribed):
    account, subscription = host.subscribed(**subscribed)
    host.clock.move(days=15, hours=12)
    return account, subscription


def test_an_upgrade_charges_exactly_what_was_shown(host):
    account, subscription = halfway(host)
    preview = account.preview_change("pro")
    host.clock.move(minutes=20)

    confirmed = account.confirm(preview.token)
    host.drain()

    assert (preview.takes_effect, preview.due_now_minor, preview.credit_minor, preview.next_minor) == ("now", 2000, 950, 5900)
    assert (confirmed.state, charged(host, subscription)) == ("changed", 2000)
    assert (account.access().plan_key, preview.next_at) == ("pro", account.subscriptions()[0].period_end)
    assert [sum(line.amount_minor for line in preview.lines), len(preview.lines)] == [2000, 2]
    assert len(host.keys(PlanChanged)) == 1


def test_month_to_year_begins_a_new_period_now_and_gives_back_what_was_not_used(host):
    account, subscription = halfway(host)
    preview = account.preview_change("starter", interval=Interval.year)
    confirmed = account.confirm(preview.token)

    assert (preview.takes_effect, preview.due_now_minor, preview.next_minor) == ("now", 19000 - 950, 19000)
    assert (confirmed.state, charged(host, subscription)) == ("changed", 18050)
    assert preview.next_at == account.subscriptions()[0].period_end


@pytest.mark.parametrize(("plan", "interval"), [("starter", Interval.month), ("pro", Interval.month)])
def test_what_costs_less_waits_for_the_end_of_what_is_paid_and_is_seen(host, plan, interval):
    started = {"plan": "pro", "interval": Interval.month if plan == "starter" else Interval.year}
    account, subscription = halfway(host, **started)
    end = account.subscriptions()[0].period_end
    preview = account.preview_change(plan, interval=interval)
    confirmed = account.confirm(preview.token)

    pending = account.pending_change()
    amount = 1900 if plan == "starter" else 5900
    assert (preview.takes_effect, preview.due_now_minor, preview.next_minor, preview.next_at) == ("period_end", 0, amount, end)
    assert (confirmed.state, confirmed.at) == ("scheduled", end)
    assert (pending.waits_for, pending.plan_key, pending.interval, pending.at) == ("period_end", plan, interval, end)
    assert account.access().plan_key == "pro"
    host.stripe.renew(subscription)
    host.clock.move(hours=2)
    account.sync()
    assert (account.access().plan_key, account.access().interval) == (plan, interval)
    assert (account.pending_change(), charged(host, subscription)) == (None, amount)


def test_a_pending_downgrade_can_be_taken_back(host):
    account, subscription = halfway(host, plan="pro")
    account.confirm(account.preview_change("starter").token)
    account.undo_change()

    assert account.pending_change() is None
    host.stripe.renew(subscription)
    assert account.sync().plan_key == "pro"
    account.undo_change()  # nothing is pending, nothing happens


def test_a_second_thought_replaces_the_first(host):
    account, _ = halfway(host, plan="pro", interval=Interval.year)
    account.confirm(account.preview_change("starter", interval=Interval.month).token)
    account.confirm(account.preview_change("pro", interval=Interval.month).token)

    assert account.pending_change().plan_key == "pro"
    account.confirm(account.preview_change("starter", interval=Interval.year, when="now").token)
    assert (account.pending_change(), account.access().plan_key) == (None, "starter")


def test_cancelling_drops_a_pending_downgrade(host):
    account, _ = halfway(host, plan="pro")
    account.confirm(account.preview_change("starter").token)

    access = account.cancel()

    assert (access.cancel_at, account.pending_change()) == (account.subscriptions()[0].period_end, None)


def test_an_upgrade_that_cannot_be_paid_leaves_the_old_plan(host):
    account, subscription = halfway(host)
    host.stripe.offline.decline(host.stripe.api.subscriptions.retrieve(subscription).customer)
    confirmed = account.confirm(account.preview_change("pro").token)
    host.drain()

    assert (confirmed.state, account.access().plan_key, account.access().phase) == ("payment_needed", "starter", Phase.active)
    assert account.pending_change().waits_for == "payment"
    assert confirmed.url == account.pending_change().url
    with pytest.raises(ChangeRefused, match="waits for its payment"):
        account.preview_change("pro")
    host.stripe.pay(subscription)
    account.sync()
    host.drain()
    assert (account.access().plan_key, account.pending_change(), len(host.keys(PlanChanged))) == ("pro", None, 1)


def test_an_upgrade_that_is_never_paid_is_forgotten(host):
    account, subscription = halfway(host)
    host.stripe.offline.decline(host.stripe.api.subscriptions.retrieve(subscription).customer)
    account.confirm(account.preview_change("pro").token)
    host.clock.move(hours=24)
    account.sync()
    host.drain()

    assert (account.pending_change(), account.access().plan_key, account.access().phase) == (None, "starter", Phase.active)
    assert not host.keys(PlanChanged)


def test_a_bank_that_wants_a_confirmation_gets_an_address_for_it(host):
    account, subscription = halfway(host)
    customer = host.stripe.api.subscriptions.retrieve(subscription).customer
    card = host.stripe.api.payment_methods.attach("pm_card_authenticationRequired", {"customer": customer})
    host.stripe.api.subscriptions.update(subscription, {"default_payment_method": card.id})

    confirmed = account.confirm(account.preview_change("pro").token)

    assert (confirmed.state, account.subscriptions()[0].payment.needs_action) == ("payment_needed", True)
    assert confirmed.url.startswith("http")


def test_confirming_twice_changes_once(host):
    account, subscription = halfway(host)
    token = account.preview_change("pro").token

    assert account.confirm(token) == account.confirm(token)
    assert len(host.stripe.api.invoices.list({"subscription": subscription}).data) == 2


def test_an_answer_that_is_lost_is_asked_for_again_under_the_same_token(host):
    account, subscription = halfway(host)
    token = account.preview_change("pro").token
    host.stripe.break_down(operation="post /v1/subscriptions/.*")

    with pytest.raises(GatewayUnavailable):
        account.confirm(token)
    with pytest.raises(ChangeInProgress):
        account.confirm(token)
    host.clock.move(minutes=3)
    assert account.confirm(token).state == "changed"
    assert len(host.stripe.api.invoices.list({"subscription": subscription}).data) == 2


def test_of_two_tabs_the_second_is_told_that_the_plan_has_changed(host):
    account, subscription = halfway(host)
    first, second = account.preview_change("pro"), account.preview_change("pro", interval=Interval.year)
    account.confirm(first.token)

    with pytest.raises(PreviewOutdated, match="has changed"):
        account.confirm(second.token)
    assert len(host.stripe.api.invoices.list({"subscription": subscription}).data) == 2


def test_of_many_tabs_at_once_one_changes_the_plan(host):
    account, subscription = halfway(host)
    tokens = [account.preview_change("pro").token for _ in range(4)]

    def confirm(token: str) -> bool:
        try:
            return account.confirm(token).state == "changed"
        except ChangeError:
            return False

    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(confirm, tokens))

    assert sum(changed) == 1
    assert len(host.stripe.api.invoices.list({"subscription": subscription}).data) == 2


def test_a_preview_holds_for_half_an_hour(host):
    account, _ = halfway(host)
    preview = account.preview_change("pro")
    host.clock.move(minutes=31)

    assert preview.expires_at - preview.at == timedelta(minutes=30)
    with pytest.raises(PreviewOutdated, match="half an hour"):
        account.confirm(preview.token)


def test_a_price_that_moved_since_is_not_charged(host):
    account, subscription = halfway(host)
    preview = account.preview_change("pro")
    coupon = host.stripe.api.coupons.create({"percent_off": 50, "duration": "forever"})
    host.stripe.api.subscriptions.update(subscription, {"discounts": [{"coupon": coupon.id}]})

    with pytest.raises(PreviewOutdated, match="costs something else"):
        account.confirm(preview.token)
    assert account.access().plan_key == "starter"


def test_a_downgrade_keeps_the_discount_that_runs(host):
    account, subscription = halfway(host, plan="pro")
    coupon = host.stripe.api.coupons.create({"percent_off": 50, "duration": "forever"})
    host.stripe.api.subscriptions.update(subscription, {"discounts": [{"coupon": coupon.id}]})
    preview = account.preview_change("starter")
    account.confirm(preview.token)
    host.stripe.renew(subscription)

    assert preview.next_minor == 950
    assert [str(one.percent) for one in account.subscriptions()[0].discounts] in (["50"], ["50.0"])
    assert host.stripe.api.invoices.list({"subscription": subscription}).data[0].total == 950


def test_a_plan_that_is_too_small_is_refused_and_says_why(host, catalogue):
    used = {"ai_credits": 120}
    billing = Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, usage_of=lambda _: used)
    halfway(host, plan="pro")
    account = billing.account("a")
    preview = account.preview_change("starter")

    assert preview.obstacles == (Obstacle(limit="ai_credits", used=120, allowed=50),)
    with pytest.raises(LimitsExceeded, match="120 used, 50 allowed") as refused:
        account.confirm(preview.token)
    assert refused.value.obstacles == preview.obstacles
    used["ai_credits"] = 50
    assert account.confirm(preview.token).state == "scheduled"


def test_a_person_may_override_the_limits_and_the_reason_is_kept(host, catalogue):
    billing = Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, usage_of=lambda _: {"ai_credits": 120})
    halfway(host, plan="pro")
    account = billing.account("a")

    account.confirm(account.preview_change("starter").token, override_reason="agreed with Ada")

    entry = next(one for one in account.history() if one.what == "override_limits")
    assert (entry.reason, entry.after) == ("agreed with Ada", {"ai_credits": 120})


def test_a_token_is_good_for_its_account_only(host):
    account, _ = halfway(host)
    host.start_trial("b")

    with pytest.raises(UnknownPreview):
        host.billing.account("b").confirm(account.preview_change("pro").token)
    with pytest.raises(UnknownPreview):
        account.confirm("guessed")


def test_what_cannot_be_changed_says_why(host):
    account, subscription = host.subscribed()
    with pytest.raises(ChangeRefused, match="already"):
        account.preview_change("starter")
    with pytest.raises(UnknownPlan):
        account.preview_change("gold")
    account.cancel()
    with pytest.raises(ChangeRefused, match="about to end"):
        account.preview_change("pro")
    account.resume()
    account.pause()
    with pytest.raises(ChangeRefused, match="paused"):
        account.preview_change("pro")
    account.resume()
    host.stripe.renew(subscription, is_paid=False)
    with pytest.raises(ChangeRefused, match="paid first"):
        account.preview_change("pro")
    account.cancel(at="now")
    with pytest.raises(NotSubscribed):
        account.preview_change("pro")
