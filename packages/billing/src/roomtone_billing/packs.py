"""Selling what is bought once, as often as one likes."""

from __future__ import annotations

import uuid
from dataclasses import replace

from . import identity
from .desk import Desk
from .errors import NotPublished
from .gateway import PackOffer


def buy(desk: Desk, pack: str, offer: PackOffer, *, currency: str | None) -> str:
    """Open the page that sells the pack; returns its address."""
    chosen = desk.rules.catalogue.pack_on_sale(pack)
    customer = desk.customer()
    if chosen.other_prices or desk.rules.automatic_tax:
        desk.sync()
    identity.refuse_unlocated(desk)
    lookup_key = chosen.lookup_key_in(desk.currency(currency) or chosen.currency)
    prices = desk.gateway.prices([lookup_key])
    if not prices:
        raise NotPublished(lookup_key)
    with identity.located(desk):
        page = desk.gateway.create_pack_checkout(
            customer=customer,
            account=desk.account,
            price=prices[0].id,
            pack=chosen.key,
            grants=chosen.grants,
            offer=replace(offer, taxes=desk.rules.automatic_tax),
            key=f"pack-{uuid.uuid4().hex}",
        )
    return page.url
