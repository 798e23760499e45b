"""Publishing: what differs is made, nothing is changed under a customer."""

from __future__ import annotations

from dataclasses import replace

from roomtone_billing import Catalogue, Interval, Pack, Plan, Price, publication
from roomtone_billing.gateway import PublishedPrice, PublishedProduct

CATALOGUE = Catalogue(plans=(Plan("starter", "Starter", (Price(Interval.month, 1900),)),))
PRICE = PublishedPrice(
    id="price_1", lookup_key="starter_month", product="plan_starter", amount_minor=1900, currency="EUR", interval=Interval.month
)


def changes(products, prices, catalogue=CATALOGUE, **more) -> list[str]:
    there = {key: PublishedProduct(name=name) for key, name in products.items()}
    return [str(change) for change in publication.diff(catalogue, products=there, prices=prices, **more)]


def test_an_empty_stripe_gets_everything_products_first():
    assert changes({}, []) == [
        "create product plan_starter (Starter)",
        "create price starter_month: 1900 EUR minor units per month",
    ]


def test_a_stripe_that_agrees_gets_nothing():
    assert changes({"plan_starter": "Starter"}, [PRICE]) == []


def test_another_name_renames_and_another_amount_replaces():
    assert changes({"plan_starter": "Start"}, [replace(PRICE, amount_minor=1500)], used={"price_1"}) == [
        "rename product plan_starter (Starter, was Start)",
        "replace price starter_month: 1500 EUR minor units per month -> 1900 EUR minor units per month; those on price_1 keep it",
    ]


def test_a_plan_archived_is_taken_off_sale_and_its_prices_left_alone():
    archived = Catalogue(plans=(replace(CATALOGUE.plans[0], is_archived=True),))
    off_sale = {"plan_starter": PublishedProduct(name="Starter", is_active=False)}

    assert changes({"plan_starter": "Starter"}, [replace(PRICE, amount_minor=1)], archived) == ["archive product plan_starter (Starter)"]
    assert changes({}, [], archived) == []
    assert publication.diff(archived, products=off_sale, prices=[]) == ()
    assert [str(one) for one in publication.diff(CATALOGUE, products=off_sale, prices=[PRICE])] == [
        "restore product plan_starter (Starter)"
    ]


def test_a_price_of_another_product_currency_or_interval_is_replaced():
    for wrong in (replace(PRICE, product="prod_x"), replace(PRICE, currency="USD"), replace(PRICE, interval=None)):
        assert len(changes({"plan_starter": "Starter"}, [wrong])) == 1


def test_a_pack_gets_a_product_and_a_price_paid_once():
    catalogue = replace(CATALOGUE, packs=(Pack("credits", "100 credits", 200, grants={"ai_credits": 100}),))
    made = PublishedPrice(
        id="price_2", lookup_key="credits_once", product="pack_credits", amount_minor=200, currency="EUR", interval=None, is_one_off=True
    )

    def wanted(products, prices) -> list[str]:
        return changes({"plan_starter": "Starter", **products}, [PRICE, *prices], catalogue)

    assert wanted({}, []) == ["create product pack_credits (100 credits)", "create price credits_once: 200 EUR minor units once"]
    assert wanted({"pack_credits": "100 credits"}, [made]) == []
    assert wanted({"pack_credits": "100 credits"}, [replace(made, is_one_off=False)]) == [
        "replace price credits_once: 200 EUR minor units once -> 200 EUR minor units once"
    ]
