"""Several currencies: a price for each, and an account stays with the one it was first billed in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing import Billing, Catalogue, Interval, Pack, Phase, Plan, Price, currencies
from roomtone_billing.errors import CurrencyPinned, NotPublished, UnknownPrice
from roomtone_billing.publication import diff, lookup_keys

SOLD = Catalogue(
    plans=(
        Plan("starter", "Starter", (Price(Interval.month, 1900), Price(Interval.month, 2100, "USD"), Price(Interval.month, 2900, "JPY"))),
        Plan(
            "pro",
            "Pro",
            (
                Price(Interval.month, 5900),
                Price(Interval.year, 59000),
                Price(Interval.month, 6500, "USD"),
                Price(Interval.month, 9000, "JPY"),
                Price(Interval.month, 19910, "KWD"),
            ),
        ),
    ),
    packs=(
        Pack("credits-100", "100 AI credits", 200, grants={"ai_credits": 100}, other_prices={"USD": 220, "JPY": 300}),
        Pack("credits-300", "300 AI credits", 500, grants={"ai_credits": 300}),
    ),
)
PAGES = {"success_url": "http://s", "cancel_url": "http://c"}


@pytest.fixture
def shop(host):
    host.billing = Billing(host.engine, catalogue=SOLD, gateway=host.gateway, clock=host.clock)
    host.start_trial()
    host.billing.publish()
    return host


def subscribe(host, currency: str | None, plan: str = "starter") -> None:
    account = host.billing.account("a")
    host.stripe.pay_at(account.checkout(plan=plan, interval=Interval.month, currency=currency, **PAGES))
    account.sync()


def test_each_currency_is_a_price_of_its_own_and_one_is_replaced_without_the_others(shop):
    dearer = replace(SOLD.plans[0], prices=(SOLD.plans[0].prices[0], Price(Interval.month, 2300, "USD"), SOLD.plans[0].prices[2]))
    published = shop.stripe.api.prices.list({"lookup_keys": ["starter_month", "starter_month_usd", "starter_month_jpy"]}).data
    nothing = shop.billing.publication()
    changed = Billing(shop.engine, catalogue=replace(SOLD, plans=(dearer, SOLD.plans[1])), gateway=shop.gateway, clock=shop.clock)

    assert {(one.lookup_key, one.currency, one.unit_amount) for one in published} == {
        ("starter_month", "eur", 1900),
        ("starter_month_usd", "usd", 2100),
        ("starter_month_jpy", "jpy", 2900),
    }
    assert nothing == ()
    assert [str(one) for one in changed.publication()] == [
        "replace price starter_month_usd: 2100 USD minor units per month -> 2300 USD minor units per month"
    ]


@pytest.mark.parametrize(("currency", "amount", "pack"), [(None, 1900, 200), ("USD", 2100, 220), ("JPY", 2900, 300)])
def test_whoever_is_billed_in_a_currency_buys_and_changes_in_it(shop, currency, amount, pack):
    account = shop.billing.account("a")
    subscribe(shop, currency)
    shop.stripe.pay_at(account.buy("credits-100", **PAGES))
    preview = account.preview_change("pro")
    account.confirm(preview.token)
    shop.drain()
    wanted = currency or "EUR"

    assert {one.currency for one in account.payments()} == {wanted}
    assert [one.amount_minor for one in account.payments()] == [preview.due_now_minor, pack, amount]
    assert (preview.currency, account.access().plan_key) == (wanted, "pro")
    assert preview.next_minor == SOLD.plan("pro").price(Interval.month, wanted).amount_minor


def test_pitfall_54_the_currency_of_an_account_is_fixed_after_its_first_invoice(shop):
    account = shop.billing.account("a")
    subscribe(shop, "USD")
    account.cancel(at="now")
    with pytest.raises(CurrencyPinned, match="pays in USD since its first invoice"):
        account.checkout(plan="starter", interval=Interval.month, currency="EUR", **PAGES)
    with pytest.raises(CurrencyPinned):
        account.buy("credits-100", currency="EUR", **PAGES)
    with pytest.raises(UnknownPrice, match="'pro' has no price per year in USD"):
        account.checkout(plan="pro", interval=Interval.year, **PAGES)
    with pytest.raises(UnknownPrice, match="'credits-300' has no price once in USD"):
        account.buy("credits-300", **PAGES)
    subscribe(shop, None)

    assert {one.currency for one in account.payments()} == {"USD"}
    assert account.access().phase is Phase.active


def test_what_is_not_sold_or_not_published_in_a_currency_is_said_before_a_customer_is_made(shop):
    with pytest.raises(UnknownPrice, match="in CHF"):
        shop.billing.account("a").checkout(plan="starter", interval=Interval.month, currency="CHF", **PAGES)
    more = replace(SOLD.plans[0], prices=(*SOLD.plans[0].prices, Price(Interval.month, 1800, "CHF")))
    early = Billing(shop.engine, catalogue=replace(SOLD, plans=(more, SOLD.plans[1])), gateway=shop.gateway, clock=shop.clock)
    with pytest.raises(NotPublished, match="starter_month_chf"):
        early.account("a").checkout(plan="starter", interval=Interval.month, currency="CHF", **PAGES)


@pytest.mark.parametrize(("currency", "plan", "amount", "half"), [("JPY", "starter", 2900, 1450), ("KWD", "pro", 19910, 9950)])
def test_pitfall_39_amounts_of_currencies_without_cents_or_with_three_decimals_are_never_scaled(shop, currency, plan, amount, half):
    account = shop.billing.account("a")
    subscribe(shop, currency, plan)
    payment = account.payments()[0]
    account.refund(payment.id, amount_minor=half, key="half")

    assert (payment.amount_minor, payment.currency) == (amount, currency)
    assert (account.invoices()[0].amount_minor, account.invoices()[0].returned_minor) == (amount, half)
    assert shop.stripe.api.charges.list().data[0].amount == amount


@pytest.mark.parametrize(("amount", "currency"), [(5905, "KWD"), (1950, "ISK")])
def test_an_amount_that_stripe_would_not_take_is_refused_in_the_catalogue(amount, currency):
    with pytest.raises(ValueError, match=f"take a multiple of {currencies.step(currency)}"):
        Price(Interval.month, amount, currency)
    with pytest.raises(ValueError, match="cannot be paid"):
        Pack("p", "P", 100, grants={"x": 1}, other_prices={currency: amount})


def test_two_prices_in_one_currency_are_refused():
    with pytest.raises(ValueError, match="two prices for one interval and currency"):
        Plan("p", "P", (Price(Interval.month, 1, "USD"), Price(Interval.month, 2, "USD")))
    with pytest.raises(ValueError, match="two prices in USD"):
        Pack("p", "P", 100, "USD", grants={"x": 1}, other_prices={"USD": 5})


@given(st.lists(st.tuples(st.sampled_from(list(Interval)), st.sampled_from(["EUR", "USD", "JPY", "CHF"])), min_size=1, unique=True))
def test_every_price_has_a_key_of_its_own_that_names_its_plan(sold):
    plan = Plan("pro", "Pro", tuple(Price(interval, 100, currency) for interval, currency in sold))
    catalogue = Catalogue(plans=(plan,))
    keys = lookup_keys(catalogue)

    assert len(set(keys)) == len(keys) == len(sold)
    assert {catalogue.identify(plan=None, lookup_key=key) for key in keys} == {"pro"}
    assert len(diff(catalogue, products={}, prices=[])) == 1 + len(sold)


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("ISK", 2)])
def test_how_many_decimals_a_currency_has(currency, digits):
    assert currencies.decimals(currency) == digits
