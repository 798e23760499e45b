"""What we sell. Prices in euro cents, VAT included; credits per month, whatever the billing interval."""

from __future__ import annotations

from roomtone_billing import Catalogue, GracePolicy, Interval, Pack, Plan, Portal, Price

AI_CREDITS = "ai_credits"
OWN_ADDRESSES = "own_addresses"
CURRENCY = "EUR"
GRACE = GracePolicy(grace_days=7, read_only_days=7)


def _prices(monthly_minor: int, yearly_minor: int) -> tuple[Price, Price]:
    return (
        Price(interval=Interval.month, amount_minor=monthly_minor, currency=CURRENCY),
        Price(interval=Interval.year, amount_minor=yearly_minor, currency=CURRENCY),
    )


CATALOGUE = Catalogue(
    plans=(
        Plan(key="starter", name="Starter", prices=_prices(1900, 19000), trial_days=14, limits={AI_CREDITS: 50, OWN_ADDRESSES: 1}),
        Plan(key="pro", name="Pro", prices=_prices(5900, 59000), trial_days=14, limits={AI_CREDITS: 500, OWN_ADDRESSES: 10}),
    ),
    packs=tuple(
        Pack(key=f"credits-{amount}", name=f"{amount} AI credits", amount_minor=minor, currency=CURRENCY, grants={AI_CREDITS: amount})
        for amount, minor in ((100, 200), (300, 500), (500, 700))
    ),
    portal=Portal(),
)


def plan_named(key: str) -> Plan:
    """The plan of this key.

    Raises:
        KeyError: none is sold under it.
    """
    return {plan.key: plan for plan in CATALOGUE.plans}[key]
