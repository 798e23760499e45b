"""The catalogue: which plans and packs are sold, at what price, with which limits. Typed, validated, without network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

from . import currencies
from .errors import NotOnSale, UnknownFeature, UnknownPack, UnknownPlan, UnknownPrice
from .features import Choice, Limit, Switch, refuse_undeclared
from .portal import Portal

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Minor = Annotated[int, Field(ge=0, le=99_999_999)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=250)]
# What is granted travels in one metadata value of the checkout: https://docs.stripe.com/api/metadata
_METADATA_LENGTH_MAX = 500
_strict = ConfigDict(extra="forbid")


class Interval(StrEnum):
    """How often a subscription renews."""

    month = "month"
    year = "year"


@dataclass(frozen=True, config=_strict)
class Price:
    """What one interval of a plan costs.

    Args:
        interval: how often it is charged.
        amount_minor: in the currency's smallest unit (1900 is 19.00 EUR), >= 0.
        currency: ISO 4217, upper case.
    """

    interval: Interval
    amount_minor: Minor
    currency: Currency = "EUR"

    def __post_init__(self) -> None:
        _refuse_unpayable(self.amount_minor, self.currency)


@dataclass(frozen=True, config=_strict)
class Plan:
    """A plan on sale, or kept for those who have it.

    Args:
        key: stable name, lower case; part of the lookup keys at Stripe.
        name: what customers read.
        prices: at most one per interval and currency; the first of an interval is what is asked of whom nobody knows better.
        trial_days: length of the local trial; 0 for none.
        features: names of what the plan switches on; opaque to billing.
        limits: named whole numbers, >= 0, opaque to billing ({"ai_credits": 50}).
        choices: named kinds, opaque to billing ({"support": "phone"}), of what the catalogue declares as `Choice`.
        is_archived: no longer sold; those who have it keep it, and renew.
    """

    key: Key
    name: Name
    prices: Annotated[tuple[Price, ...], Field(min_length=1)]
    trial_days: Annotated[int, Field(ge=0, le=730)] = 0
    features: tuple[str, ...] = ()
    limits: Mapping[str, Annotated[int, Field(ge=0)]] = field(default_factory=dict)
    is_archived: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sold = [(price.interval, price.currency) for price in self.prices]
        if len(set(sold)) != len(sold):
            raise ValueError(f"plan {self.key!r} has two prices for one interval and currency")

    def price(self, interval: Interval, currency: str | None = None) -> Price:
        """The price of that interval; None is the first currency it is sold in.

        Raises:
            UnknownPrice: the plan is not sold so.
        """
        for price in self.prices:
            if price.interval == interval and currency in {None, price.currency}:
                return price
        raise UnknownPrice(self.key, interval, currency)

    def lookup_key(self, interval: Interval, currency: str | None = None) -> str:
        """The name of the price at Stripe: `starter_month`, and `starter_month_usd` of a currency that is not its first."""
        price = self.price(interval, currency)
        return _lookup_key(f"{self.key}_{interval}", price.currency, first=self.price(interval).currency)


@dataclass(frozen=True, config=_strict)
class Pack:
    """Something bought once, as often as one likes: 100 credits for 2 EUR.

    Args:
        key: stable name, lower case; part of the lookup key at Stripe.
        name: what customers read.
        amount_minor: in the currency's smallest unit, >= 0.
        currency: ISO 4217, upper case.
        other_prices: what it costs in other currencies, by ISO 4217 code.
        grants: what the host gives for it, named whole numbers > 0, opaque to billing ({"ai_credits": 100}).
        is_archived: no longer sold; a page opened before can still be paid.
    """

    key: Key
    name: Name
    amount_minor: Minor
    currency: Currency = "EUR"
    grants: Mapping[str, Annotated[int, Field(gt=0)]] = field(default_factory=dict)
    is_archived: bool = False
    other_prices: Mapping[Currency, Minor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for currency, amount_minor in self.prices.items():
            _refuse_unpayable(amount_minor, currency)
        if self.currency in self.other_prices:
            raise ValueError(f"pack {self.key!r} has two prices in {self.currency}")
        if not self.grants:
            raise ValueError(f"pack {self.key!r} grants nothing")
        if len(json.dumps(dict(self.grants))) > _METADATA_LENGTH_MAX:
            raise ValueError(f"what pack {self.key!r} grants does not fit into {_METADATA_LENGTH_MAX} characters of JSON")

    @property
    def lookup_key(self) -> str:
        """The name of its first price at Stripe: `credits-100_once`."""
        return self.lookup_key_in(self.currency)

    @property
    def prices(self) -> Mapping[str, int]:
        """What it costs, by currency, its first currency first."""
        return {self.currency: self.amount_minor} | dict(self.other_prices)

    def lookup_key_in(self, currency: str) -> str:
        """The name of a price at Stripe: `credits-100_once_usd` of a currency that is not its first.

        Raises:
            UnknownPrice: it is not sold in that currency.
        """
        if currency not in self.prices:
            raise UnknownPrice(self.key, "once", currency)
        return _lookup_key(f"{self.key}_once", currency, first=self.currency)


@dataclass(frozen=True, config=_strict)
class Catalogue:
    """All plans and packs. Plans no longer sold stay listed as long as someone has them.

    `features` declares what plans can include; where anything is declared, a plan that includes something else is an error. `meters`
    are the event names of the meters at Stripe that use may be reported to; `portal` is what customers may do on Stripe's
    portal page, None to leave that to Stripe's dashboard.
    """

    plans: Annotated[tuple[Plan, ...], Field(min_length=1)]
    packs: tuple[Pack, ...] = ()
    meters: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")], ...] = ()
    portal: Portal | None = None
    features: tuple[Switch | Limit | Choice, ...] = ()

    def __post_init__(self) -> None:
        for what, things in (("plans", self.plans), ("packs", self.packs)):
            keys = [thing.key for thing in things]
            if len(set(keys)) != len(keys):
                raise ValueError(f"two {what} of the catalogue have the same key")
        if self.features:
            refuse_undeclared(self.features, self.plans)
        elif chosen := next((plan.key for plan in self.plans if plan.choices), None):
            raise ValueError(f"plan {chosen!r} has choices, but nothing is declared; add Choice(...) to Catalogue(features=...)")

    def plan(self, key: str) -> Plan:
        """The plan of that key.

        Raises:
            UnknownPlan: the catalogue has none.
        """
        for plan in self.plans:
            if plan.key == key:
                return plan
        raise UnknownPlan(key, tuple(plan.key for plan in self.plans))

    def choice(self, name: str) -> Choice:
        """The declared choice of that name.

        Raises:
            UnknownFeature: nothing, or something else, is declared under it.
        """
        choices = {one.name: one for one in self.features if isinstance(one, Choice)}
        if name not in choices:
            raise UnknownFeature(name, tuple(sorted(choices)))
        return choices[name]

    def plan_on_sale(self, key: str) -> Plan:
        """The plan of that key, if it is sold.

        Raises:
            UnknownPlan: the catalogue has none.
            NotOnSale: it is archived.
        """
        plan = self.plan(key)
        if plan.is_archived:
            raise NotOnSale(key)
        return plan

    def pack_on_sale(self, key: str) -> Pack:
        """The pack of that key, if it is sold.

        Raises:
            UnknownPack: the catalogue has none.
            NotOnSale: it is archived.
        """
        pack = self.pack(key)
        if pack.is_archived:
            raise NotOnSale(key)
        return pack

    def pack(self, key: str) -> Pack:
        """The pack of that key.

        Raises:
            UnknownPack: the catalogue has none.
        """
        for pack in self.packs:
            if pack.key == key:
                return pack
        raise UnknownPack(key, tuple(pack.key for pack in self.packs))

    def identify(self, *, plan: str | None, lookup_key: str | None) -> str | None:
        """Which plan a price at Stripe sells; None for a foreign price, never a default.

        Args:
            plan: the plan named in the price's metadata; outlives the lookup key when the price is replaced.
            lookup_key: the price's lookup key, or None.
        """
        for candidate in self.plans:
            keys = {candidate.lookup_key(price.interval, price.currency) for price in candidate.prices}
            if candidate.key == plan or (plan is None and lookup_key in keys):
                return candidate.key
        return None


def _lookup_key(name: str, currency: str, *, first: str) -> str:
    return name if currency == first else f"{name}_{currency.lower()}"


def _refuse_unpayable(amount_minor: int, currency: str) -> None:
    step = currencies.step(currency)
    if amount_minor % step:
        raise ValueError(f"{amount_minor} minor units of {currency} cannot be paid; take a multiple of {step}")
