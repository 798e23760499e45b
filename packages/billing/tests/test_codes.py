"""Promotion codes, at the checkout and on a running subscription; each refusal says why."""

from __future__ import annotations

import pytest

from roomtone_billing import CodeProblem, Interval
from roomtone_billing.errors import CodeRefused


@pytest.fixture
def code(host):
    def make(letters: str, **values: object) -> str:
        coupon = host.stripe.api.coupons.create({"percent_off": 50, "duration": "forever", "name": "Half"})
        asked = {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": letters, **values}
        return host.stripe.api.promotion_codes.create(asked).id

    return make


def buy(host, **asked):
    page = host.billing.account("a").checkout(
        plan="starter", interval=Interval.month, success_url="http://s", cancel_url="http://c", **asked
    )
    host.stripe.pay_at(page)
    host.billing.account("a").sync()
    return host.billing.account("a")


def test_a_code_at_the_checkout_is_taken_off(host, code):
    host.customer()
    code("HALF")
    account = buy(host, code="half")

    assert account.invoices()[0].amount_minor == 950
    (discount,) = account.subscriptions()[0].discounts
    assert (discount.name, discount.percent) == ("Half", 50)


def test_a_code_on_a_running_subscription_counts_from_the_next_invoice_and_only_once(host, code):
    account, subscription = host.subscribed()
    code("HALF")
    account.apply_code("HALF")
    account.apply_code("HALF")
    assert len(account.subscriptions()[0].discounts) == 1
    host.stripe.renew(subscription)

    assert host.stripe.api.invoices.list({"subscription": subscription}).data[0].total == 950
    account.remove_discounts()
    assert account.subscriptions()[0].discounts == ()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"active": False}, CodeProblem.inactive),
        ({"restrictions": {"first_time_transaction": True}}, CodeProblem.first_purchase_only),
        ({"restrictions": {"minimum_amount": 5000, "minimum_amount_currency": "eur"}}, CodeProblem.below_minimum),
    ],
)
def test_a_code_that_does_not_fit_says_why(host, code, values, problem):
    account, _ = host.subscribed()
    code("HALF", **values)

    with pytest.raises(CodeRefused, match="HALF") as refused:
        account.apply_code("HALF")
    assert refused.value.problem is problem


def test_codes_that_are_unknown_expired_used_up_or_somebody_elses(host, code):
    account, _ = host.subscribed()
    code("OLD", expires_at=int(host.clock().timestamp()) + 60)
    code("ONCE", max_redemptions=1)
    code("MINE", customer=host.stripe.stranger())
    account.apply_code("ONCE")
    account.remove_discounts()
    host.clock.move(minutes=2)

    problems = {}
    for letters in ("NEVER", "OLD", "ONCE", "MINE"):
        with pytest.raises(CodeRefused) as refused:
            account.apply_code(letters)
        problems[letters] = refused.value.problem

    assert problems == {
        "NEVER": CodeProblem.unknown,
        "OLD": CodeProblem.expired,
        "ONCE": CodeProblem.exhausted,
        "MINE": CodeProblem.other_customer,
    }


def test_a_bad_code_opens_no_checkout_page(host):
    host.customer()

    with pytest.raises(CodeRefused):
        buy(host, code="NEVER")


def test_the_page_asks_for_a_code_when_it_may(host):
    host.customer()
    account = host.billing.account("a")
    account.checkout(plan="pro", interval=Interval.month, success_url="http://s", cancel_url="http://c", allow_codes=True)

    assert host.stripe.api.checkout.sessions.list().data[0].allow_promotion_codes
