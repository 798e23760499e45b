"""The catalogue refuses nonsense when it is made, and never guesses a plan."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from roomtone_billing import Catalogue, Interval, Pack, Plan, Price
from roomtone_billing.errors import UnknownPack, UnknownPlan, UnknownPrice

MONTHLY = Price(Interval.month, 1900)
PACK = Pack("credits", "100 credits", 200, grants={"ai_credits": 100})


def test_positional_and_keyword_arguments_mean_the_same():
    assert Price(Interval.month, 1900) == Price(interval="month", amount_minor=1900, currency="EUR")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Price(Interval.month, -1),
        lambda: Price(Interval.month, 19.5),
        lambda: Price(Interval.month, 1900, "eur"),
        lambda: Price("week", 1900),
        lambda: Plan("Starter", "Starter", (MONTHLY,)),
        lambda: Plan("a_b", "A", (MONTHLY,)),
        lambda: Plan("a", "", (MONTHLY,)),
        lambda: Plan("a", "A", ()),
        lambda: Plan("a", "A", (MONTHLY, MONTHLY)),
        lambda: Plan("a", "A", (MONTHLY,), trial_days=-1),
        lambda: Pack("a", "A", 200),
        lambda: Pack("a", "A", -1, grants={"x": 1}),
        lambda: Pack("a", "A", 200, grants={"x": 0}),
        lambda: Pack("a", "A", 200, grants={"x" * 500: 1}),
        lambda: Catalogue(plans=(Plan("a", "A", (MONTHLY,)),), packs=(PACK, PACK)),
        lambda: Catalogue(plans=()),
        lambda: Catalogue(plans=(Plan("a", "A", (MONTHLY,)), Plan("a", "B", (MONTHLY,)))),
    ],
)
def test_nonsense_is_refused_when_it_is_made(make):
    with pytest.raises(ValidationError):
        make()


def test_lookup_keys_name_plan_and_interval(catalogue):
    assert catalogue.plan("starter").lookup_key(Interval.year) == "starter_year"


def test_what_is_not_sold_is_an_error_that_names_it(catalogue):
    with pytest.raises(UnknownPlan, match="starter, pro"):
        catalogue.plan("gold")
    with pytest.raises(UnknownPrice, match="per year"):
        Plan("a", "A", (MONTHLY,)).price(Interval.year)


def test_a_pack_may_be_called_what_a_plan_is_called():
    catalogue = Catalogue(plans=(Plan("credits", "Credits", (MONTHLY,)),), packs=(PACK,))

    assert catalogue.pack("credits").lookup_key != catalogue.plan("credits").lookup_key(Interval.month)
    with pytest.raises(UnknownPack, match="it has credits"):
        catalogue.pack("gold")


@pytest.mark.parametrize(
    ("plan", "lookup_key", "expected"),
    [
        (None, "pro_month", "pro"),
        ("pro", None, "pro"),
        ("pro", "starter_month", "pro"),
        ("gold", "pro_month", None),
        (None, "gold_month", None),
        (None, None, None),
    ],
)
def test_a_price_at_stripe_is_known_by_its_metadata_then_its_lookup_key_and_never_guessed(catalogue, plan, lookup_key, expected):
    assert catalogue.identify(plan=plan, lookup_key=lookup_key) == expected
