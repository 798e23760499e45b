"""What plans include is declared once; what is written otherwise is refused at the start, with what to write instead."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy.orm import Session

from roomtone_billing import Access, Billing, Catalogue, Choice, Interval, Limit, Phase, Plan, Price, Switch
from roomtone_billing.entitlement import option_of
from roomtone_billing.errors import UnknownFeature

MONTHLY = (Price(Interval.month, 1900),)
DECLARED = (Switch("exports"), Limit("rooms"), Choice("support", ("mail", "phone")), Switch("api"))
SMALL = Plan("small", "Small", MONTHLY, limits={"rooms": 2})
LARGE = Plan("large", "Large", MONTHLY, features=("exports", "rooms"), choices={"support": "phone"})
CATALOGUE = Catalogue(plans=(SMALL, LARGE), features=DECLARED)


@pytest.mark.parametrize(
    ("included", "said"),
    [
        ({"features": ("export",)}, "did you mean 'exports'?"),
        ({"features": ("video",)}, "add Switch('video') to Catalogue"),
        ({"limits": {"room": 3}}, "did you mean 'rooms'?"),
        ({"limits": {"seats": 3}}, "add Limit('seats') to Catalogue"),
        ({"limits": {"exports": 3}}, "which is no limit; declare Limit"),
        ({"features": ("support",)}, "write choices={'support': ...}"),
        ({"choices": {"rooms": "many"}}, "which is no choice; declare Choice"),
        ({"choices": {"support": "fax"}}, "which has mail, phone; choose one of them"),
        ({"limits": {"rooms": -1}}, "greater than or equal to 0"),
    ],
)
def test_what_is_not_declared_so_is_refused_with_what_to_write(included, said):
    with pytest.raises(ValidationError) as refused:
        Catalogue(plans=(Plan("odd", "Odd", MONTHLY, **included),), features=DECLARED)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (lambda: (Switch("rooms"), Limit("rooms")), "declared twice"),
        (lambda: (Choice("support", ("mail", "mail")),), "same option twice"),
        (lambda: (Choice("support", ("mail",)),), "at least 2 items"),
        (lambda: (Switch("No Spaces"),), "should match pattern"),
    ],
)
def test_nonsense_is_not_declared(declared, said):
    with pytest.raises(ValidationError, match=said):
        Catalogue(plans=(Plan("p", "P", MONTHLY),), features=declared())


def test_choices_need_a_declaration():
    with pytest.raises(ValidationError, match="nothing is declared; add Choice"):
        Catalogue(plans=(LARGE,))


def test_a_catalogue_that_declares_nothing_is_as_free_as_before():
    assert Catalogue(plans=(Plan("p", "P", MONTHLY, features=("anything",), limits={"whatever": 1}),)).features == ()


def test_decisions_follow_what_is_declared(host):
    billing = Billing(host.engine, catalogue=CATALOGUE, gateway=host.gateway, clock=host.clock)
    with Session(host.engine) as session, session.begin():
        billing.open_account(session, "a", email="a@example.org", name="A")
    host_plan = {"small": 0, "large": None}
    said = {}
    for plan in host_plan:
        trial = Billing(host.engine, catalogue=_with_trial(plan), gateway=host.gateway, clock=host.clock)
        with Session(host.engine) as session, session.begin():
            trial.start_trial(session, plan, plan=plan, interval=Interval.month, email="p@example.org", name="P")
        mine = trial.account(plan).entitlements
        said[plan] = (mine.check("exports").allowed, mine.check("rooms").limit, mine.check("api").allowed, mine.option("support"))

    assert said == {"small": (False, 2, False, "mail"), "large": (True, None, False, "phone")}
    assert billing.account("a").entitlements.option("support") == "mail"
    with pytest.raises(UnknownFeature):
        billing.account("a").check("support")
    with pytest.raises(UnknownFeature):
        billing.account("a").entitlements.option("rooms")


@given(st.sampled_from(list(Phase)), st.sampled_from(["small", "large", None]))
def test_whoever_may_not_write_has_the_least(phase, plan):
    access = Access(account="a", phase=phase, plan_key=plan, since=datetime(2026, 1, 1, tzinfo=UTC))

    expected = "phone" if plan == "large" and access.may_write else "mail"
    assert option_of("support", access=access, catalogue=CATALOGUE) == expected


def _with_trial(key: str) -> Catalogue:
    plans = tuple(Plan(one.key, one.name, one.prices, 14, one.features, one.limits, choices=one.choices) for one in CATALOGUE.plans)
    assert key in {one.key for one in plans}
    return Catalogue(plans=plans, features=DECLARED)
