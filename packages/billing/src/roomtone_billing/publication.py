"""What separates the catalogue from Stripe. Prices are never changed: a new one takes over the lookup key, customers keep theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .gateway import PublishedPrice
from .plans import Catalogue, Interval, Pack, Plan


@dataclass(frozen=True, kw_only=True)
class ProductChange:
    """A product to make or to rename; `item` is what it sells."""

    item: Plan | Pack
    product: str
    is_new: bool

    def __str__(self) -> str:
        return f"{'create' if self.is_new else 'rename'} product {self.product} ({self.item.name})"


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """A price to make, without an interval when it is paid once; `replaces` is the price that has the lookup key now."""

    item: Plan | Pack
    product: str
    lookup_key: str
    amount_minor: int
    currency: str
    interval: Interval | None
    replaces: str | None

    def __str__(self) -> str:
        amount = f"{self.amount_minor} {self.currency} minor units {f'per {self.interval}' if self.interval else 'once'}"
        if self.replaces and self.interval:
            return f"replace price {self.lookup_key}: {amount} for new subscribers, those on {self.replaces} keep it"
        return f"{'replace' if self.replaces else 'create'} price {self.lookup_key}: {amount}"

    @property
    def metadata(self) -> dict[str, str]:
        """What the price is marked with, to be known by when its lookup key has moved on."""
        return {"plan" if isinstance(self.item, Plan) else "pack": self.item.key}


def product_id(item: Plan | Pack) -> str:
    """The id a product has at Stripe: chosen by us, so making it twice is impossible."""
    return f"{'plan' if isinstance(item, Plan) else 'pack'}_{item.key}"


def product_ids(catalogue: Catalogue) -> list[str]:
    """The id of every product of the catalogue."""
    return [product_id(item) for item in _items(catalogue)]


def lookup_keys(catalogue: Catalogue) -> list[str]:
    """Every lookup key of the catalogue."""
    plans = [plan.lookup_key(price.interval) for plan in catalogue.plans for price in plan.prices]
    return plans + [pack.lookup_key for pack in catalogue.packs]


def diff(catalogue: Catalogue, *, products: Mapping[str, str], prices: Iterable[PublishedPrice]) -> tuple[ProductChange | PriceChange, ...]:
    """The changes that make Stripe agree with the catalogue, in an order that works; nothing when it does."""
    published = {price.lookup_key: price for price in prices}
    changes: list[ProductChange | PriceChange] = []
    for item in _items(catalogue):
        product = product_id(item)
        if products.get(product) != item.name:
            changes.append(ProductChange(item=item, product=product, is_new=product not in products))
        for lookup_key, amount_minor, currency, interval in _wanted(item):
            found = published.get(lookup_key)
            wanted = PriceChange(
                item=item,
                product=product,
                lookup_key=lookup_key,
                amount_minor=amount_minor,
                currency=currency,
                interval=interval,
                replaces=found.id if found else None,
            )
            if found is None or not _agrees(found, wanted):
                changes.append(wanted)
    return tuple(changes)


def _items(catalogue: Catalogue) -> tuple[Plan | Pack, ...]:
    return (*catalogue.plans, *catalogue.packs)


def _wanted(item: Plan | Pack) -> list[tuple[str, int, str, Interval | None]]:
    if isinstance(item, Pack):
        return [(item.lookup_key, item.amount_minor, item.currency, None)]
    return [(item.lookup_key(price.interval), price.amount_minor, price.currency, price.interval) for price in item.prices]


def _agrees(found: PublishedPrice, wanted: PriceChange) -> bool:
    return (found.product, found.amount_minor, found.currency, found.interval, found.is_one_off) == (
        wanted.product,
        wanted.amount_minor,
        wanted.currency,
        wanted.interval,
        wanted.interval is None,
    )
