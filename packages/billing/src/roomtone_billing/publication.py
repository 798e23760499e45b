"""What separates the catalogue from Stripe. Prices are never changed: a new one takes over the lookup key, customers keep theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from .gateway import PublishedPrice, PublishedProduct
from .plans import Catalogue, Interval, Pack, Plan
from .portal import PortalChange


@dataclass(frozen=True, kw_only=True)
class ProductChange:
    """A product to make, to rename, to take off sale, or to put on sale again; `before` is its name now."""

    item: Plan | Pack
    product: str
    action: Literal["create", "rename", "archive", "restore"]
    before: str | None = None
    is_in_use: bool = False

    def __str__(self) -> str:
        was = f", was {self.before}" if self.action == "rename" else ""
        return f"{self.action} product {self.product} ({self.item.name}{was})"

    def to_json(self) -> dict[str, object]:
        """The change as plain JSON values."""
        return {"action": self.action, "kind": "product", "key": self.product, "before": self.before, "after": self.item.name}


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """A price to make, without an interval when it is paid once.

    `replaces` is the price that has the lookup key now; `is_in_use` says that somebody is subscribed to it.
    """

    item: Plan | Pack
    product: str
    lookup_key: str
    amount_minor: int
    currency: str
    interval: Interval | None
    replaces: PublishedPrice | None = None
    is_in_use: bool = False

    @property
    def action(self) -> Literal["create", "replace"]:
        """Whether another price has the lookup key now."""
        return "replace" if self.replaces else "create"

    @property
    def metadata(self) -> dict[str, str]:
        """What the price is marked with, to be known by when its lookup key has moved on."""
        return {"plan" if isinstance(self.item, Plan) else "pack": self.item.key}

    def __str__(self) -> str:
        after = _amount(self.amount_minor, self.currency, self.interval)
        if self.replaces is None:
            return f"create price {self.lookup_key}: {after}"
        before = _amount(self.replaces.amount_minor, self.replaces.currency, self.replaces.interval)
        kept = f"; those on {self.replaces.id} keep it" if self.is_in_use else ""
        return f"replace price {self.lookup_key}: {before} -> {after}{kept}"

    def to_json(self) -> dict[str, object]:
        """The change as plain JSON values."""
        before = self.replaces
        return {
            "action": self.action,
            "kind": "price",
            "key": self.lookup_key,
            "before": before and {"id": before.id, "amount_minor": before.amount_minor, "currency": before.currency},
            "after": {"amount_minor": self.amount_minor, "currency": self.currency},
            "is_in_use": self.is_in_use,
        }


Change = ProductChange | PriceChange | PortalChange


def product_id(item: Plan | Pack) -> str:
    """The id a product has at Stripe: chosen by us, so making it twice is impossible."""
    return f"{'plan' if isinstance(item, Plan) else 'pack'}_{item.key}"


def product_ids(catalogue: Catalogue) -> list[str]:
    """The id of every product of the catalogue."""
    return [product_id(item) for item in _items(catalogue)]


def lookup_keys(catalogue: Catalogue) -> list[str]:
    """Every lookup key of the catalogue."""
    plans = [plan.lookup_key(price.interval, price.currency) for plan in catalogue.plans for price in plan.prices]
    return plans + [pack.lookup_key_in(currency) for pack in catalogue.packs for currency in pack.prices]


def diff(
    catalogue: Catalogue, *, products: Mapping[str, PublishedProduct], prices: Iterable[PublishedPrice], used: Collection[str] = ()
) -> tuple[Change, ...]:
    """The changes that make Stripe agree with the catalogue, in an order that works; nothing when it does.

    Args:
        used: ids of prices that somebody is subscribed to.
    """
    published = {price.lookup_key: price for price in prices}
    changes: list[Change] = []
    for item in _items(catalogue):
        changes += _product_changes(item, products.get(product_id(item)))
        if not item.is_archived:
            found = (_price_change(wanted, published.get(wanted.lookup_key), used) for wanted in _wanted(item))
            changes += [change for change in found if change is not None]
    return tuple(changes)


def _product_changes(item: Plan | Pack, found: PublishedProduct | None) -> list[Change]:
    product = product_id(item)
    if found is None:
        return [] if item.is_archived else [ProductChange(item=item, product=product, action="create")]
    changes: list[Change] = []
    if found.name != item.name:
        changes.append(ProductChange(item=item, product=product, action="rename", before=found.name))
    if found.is_active == item.is_archived:
        action: Literal["archive", "restore"] = "archive" if item.is_archived else "restore"
        changes.append(ProductChange(item=item, product=product, action=action, before=found.name))
    return changes


def _price_change(wanted: PriceChange, found: PublishedPrice | None, used: Collection[str]) -> PriceChange | None:
    if found is None:
        return wanted
    if _agrees(found, wanted):
        return None
    return PriceChange(**{**vars(wanted), "replaces": found, "is_in_use": found.id in used})


def _items(catalogue: Catalogue) -> tuple[Plan | Pack, ...]:
    return (*catalogue.plans, *catalogue.packs)


def _wanted(item: Plan | Pack) -> list[PriceChange]:
    prices = (
        [(item.lookup_key_in(currency), minor, currency, None) for currency, minor in item.prices.items()]
        if isinstance(item, Pack)
        else [
            (item.lookup_key(price.interval, price.currency), price.amount_minor, price.currency, price.interval) for price in item.prices
        ]
    )
    return [
        PriceChange(item=item, product=product_id(item), lookup_key=key, amount_minor=minor, currency=currency, interval=interval)
        for key, minor, currency, interval in prices
    ]


def _agrees(found: PublishedPrice, wanted: PriceChange) -> bool:
    return (found.product, found.amount_minor, found.currency, found.interval, found.is_one_off) == (
        wanted.product,
        wanted.amount_minor,
        wanted.currency,
        wanted.interval,
        wanted.interval is None,
    )


def _amount(amount_minor: int, currency: str, interval: Interval | None) -> str:
    return f"{amount_minor} {currency} minor units {f'per {interval}' if interval else 'once'}"
