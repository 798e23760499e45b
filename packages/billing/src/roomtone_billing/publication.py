"""What separates the catalogue from Stripe. Prices are never changed: a new one takes over the lookup key, customers keep theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .gateway import PublishedPrice
from .plans import Catalogue, Plan, Price


@dataclass(frozen=True, kw_only=True)
class ProductChange:
    """A product to make or to rename."""

    plan: Plan
    product: str
    is_new: bool

    def __str__(self) -> str:
        return f"{'create' if self.is_new else 'rename'} product {self.product} ({self.plan.name})"


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """A price to make; `replaces` is the price that has the lookup key now."""

    plan: Plan
    product: str
    price: Price
    lookup_key: str
    replaces: str | None

    def __str__(self) -> str:
        amount = f"{self.price.amount_minor} {self.price.currency} minor units per {self.price.interval}"
        if self.replaces:
            return f"replace price {self.lookup_key}: {amount} for new subscribers, those on {self.replaces} keep it"
        return f"create price {self.lookup_key}: {amount}"


def product_id(plan: Plan) -> str:
    """The id a plan's product has at Stripe: chosen by us, so making it twice is impossible."""
    return f"plan_{plan.key}"


def lookup_keys(catalogue: Catalogue) -> list[str]:
    """Every lookup key of the catalogue."""
    return [plan.lookup_key(price.interval) for plan in catalogue.plans for price in plan.prices]


def diff(catalogue: Catalogue, *, products: Mapping[str, str], prices: Iterable[PublishedPrice]) -> tuple[ProductChange | PriceChange, ...]:
    """The changes that make Stripe agree with the catalogue, in an order that works; nothing when it does."""
    published = {price.lookup_key: price for price in prices}
    changes: list[ProductChange | PriceChange] = []
    for plan in catalogue.plans:
        product = product_id(plan)
        if products.get(product) != plan.name:
            changes.append(ProductChange(plan=plan, product=product, is_new=product not in products))
        for price in plan.prices:
            key = plan.lookup_key(price.interval)
            found = published.get(key)
            if found is None or not _agrees(found, price, product):
                replaces = found.id if found else None
                changes.append(PriceChange(plan=plan, product=product, price=price, lookup_key=key, replaces=replaces))
    return tuple(changes)


def _agrees(found: PublishedPrice, price: Price, product: str) -> bool:
    return (found.product, found.amount_minor, found.currency, found.interval) == (
        product,
        price.amount_minor,
        price.currency,
        price.interval,
    )
