"""Making Stripe agree with the catalogue, step by step; whoever is stopped between two steps begins again and finds the rest."""

from __future__ import annotations

from dataclasses import replace

from . import portal, publication
from .errors import PriceInUse
from .gateway import Gateway
from .plans import Catalogue
from .portal import PortalChange
from .publication import Change, PriceChange, ProductChange


def plan(gateway: Gateway, catalogue: Catalogue) -> tuple[Change, ...]:
    """What `apply` would change; asks of each recurring price to be replaced whether somebody is subscribed to it."""
    products = gateway.products(publication.product_ids(catalogue))
    changes = publication.diff(catalogue, products=products, prices=gateway.prices(publication.lookup_keys(catalogue)))
    found = gateway.find_portal() if catalogue.portal is not None else None
    return (*(_looked_up(gateway, change) for change in changes), *portal.diff(catalogue.portal, found))


def apply(gateway: Gateway, catalogue: Catalogue, *, may_replace_used: bool) -> tuple[Change, ...]:
    """Make the changes; as `Billing.publish` says."""
    changes = plan(gateway, catalogue)
    used = tuple(change.lookup_key for change in changes if isinstance(change, PriceChange) and change.is_in_use)
    if used and not may_replace_used:
        raise PriceInUse(used)
    for change in changes:
        _make(gateway, change)
    return changes


def _looked_up(gateway: Gateway, change: Change) -> Change:
    if not isinstance(change, PriceChange) or change.replaces is None or change.replaces.is_one_off:
        return change
    return replace(change, is_in_use=gateway.is_subscribed_to(change.replaces.id))


def _make(gateway: Gateway, change: Change) -> None:
    if isinstance(change, PortalChange):
        gateway.put_portal(change.portal, id=change.before.id if change.before else None)
        return
    if isinstance(change, ProductChange):
        is_active = change.action in {"create", "restore"} if change.action != "rename" else None
        gateway.put_product(id=change.product, name=change.item.name, is_new=change.action == "create", is_active=is_active)
        return
    before = change.replaces.id if change.replaces else "first"
    gateway.create_price(
        product=change.product,
        lookup_key=change.lookup_key,
        interval=change.interval,
        amount_minor=change.amount_minor,
        currency=change.currency,
        metadata=change.metadata,
        # Names the price replaced, so going back to an old amount is not taken for a repetition.
        key=f"price-{change.lookup_key}-{change.amount_minor}-{change.currency}-{before}",
    )
