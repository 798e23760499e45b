"""Checkout pages: what is sold on them, and that only the newest of an account can be paid."""

from __future__ import annotations

import uuid
from contextlib import suppress

from . import codes, identity
from .desk import Desk
from .errors import AlreadySubscribed, GatewayRefused, NotPublished, PortalNotPublished
from .models import AccountRow
from .plans import Interval
from .transactions import writing


def sell_plan(
    desk: Desk,
    *,
    plan: str,
    interval: Interval,
    success_url: str,
    cancel_url: str,
    locale: str | None,
    seats: int | None,
    code: str | None,
    allow_codes: bool,
    currency: str | None,
) -> str:
    """Open a page that sells the plan; as `Account.checkout` says."""
    chosen = desk.rules.catalogue.plan_on_sale(plan)
    chosen.price(interval, currency)
    quantity = seats or (max(desk.rules.seats_of(desk.account), 1) if desk.rules.seats_of else 1)
    customer = desk.customer()
    current = desk.sync()
    if current.is_subscribed:
        raise AlreadySubscribed(desk.account, current.plan_key)
    identity.refuse_unlocated(desk)
    price = chosen.price(interval, desk.currency(currency))
    lookup_key = chosen.lookup_key(interval, price.currency)
    prices = desk.gateway.prices([lookup_key])
    if not prices:
        raise NotPublished(lookup_key)
    discount = codes.usable(desk, code, price=price, quantity=quantity) if code else None
    with identity.located(desk):
        page = desk.gateway.create_checkout(
            customer=customer,
            account=desk.account,
            price=prices[0].id,
            quantity=quantity,
            promotion_code=discount,
            allow_promotion_codes=allow_codes,
            success_url=success_url,
            cancel_url=cancel_url,
            locale=locale,
            key=f"checkout-{uuid.uuid4().hex}",
            taxes=desk.rules.automatic_tax,
        )
    _replace(desk, page.id)
    return page.url


def open_portal(desk: Desk, *, return_url: str, locale: str | None) -> str:
    """Open the portal; as `Account.portal` says."""
    customer, configuration = desk.known_customer(), None
    if desk.rules.catalogue.portal is not None:
        found = desk.gateway.find_portal()
        if found is None:
            raise PortalNotPublished
        configuration = found.id
    return desk.gateway.create_portal(customer=customer, return_url=return_url, locale=locale, configuration=configuration)


def _replace(desk: Desk, checkout: str) -> None:
    """Close the page opened before; if it was paid a moment ago, close the new one and refuse."""
    with writing(desk.engine) as session:
        row = session.get_one(AccountRow, desk.account, with_for_update=True)
        before, row.checkout = row.checkout, checkout
    if before is None:
        return
    try:
        desk.gateway.expire_checkout(before)
    except GatewayRefused:
        current = desk.sync()
        if current.is_subscribed:
            with suppress(GatewayRefused):
                desk.gateway.expire_checkout(checkout)
            raise AlreadySubscribed(desk.account, current.plan_key) from None
