"""Promotion codes: whether one may be used, and if not, why, before Stripe says only no."""

from __future__ import annotations

import uuid
from contextlib import suppress
from enum import StrEnum

from . import lifecycle
from .desk import Desk
from .errors import CodeRefused, GatewayRefused, UnknownPrice
from .gateway import PromotionCode
from .plans import Price


class CodeProblem(StrEnum):
    """Why a promotion code cannot be used."""

    unknown = "unknown"
    inactive = "inactive"
    expired = "expired"
    exhausted = "exhausted"
    below_minimum = "below_minimum"
    first_purchase_only = "first_purchase_only"
    other_customer = "other_customer"
    refused = "refused"


def usable(desk: Desk, code: str, *, price: Price | None, quantity: int = 1) -> str:
    """The id of a code that the account may use to buy that; raises `CodeRefused` with the reason."""
    found = desk.gateway.promotion_code(code)
    if found is None:
        raise CodeRefused(code, CodeProblem.unknown)
    problem = _problem(desk, found, price, quantity)
    if problem is not None:
        raise CodeRefused(code, problem)
    return found.id


def apply(desk: Desk, code: str) -> None:
    """As `Account.apply_code` says."""
    found = lifecycle.living(desk)
    plan = desk.rules.catalogue.identify(plan=found.price.plan, lookup_key=found.price.lookup_key)
    price = None
    if plan and found.price.interval:
        with suppress(UnknownPrice):  # one that is sold no more; Stripe knows what it costs
            price = desk.rules.catalogue.plan(plan).price(found.price.interval, desk.currency(None))
    chosen = usable(desk, code, price=price, quantity=found.quantity or 1)
    if any(one.promotion_code == chosen for one in found.discounts):
        return
    kept = [one.id for one in found.discounts]
    try:
        desk.gateway.set_discounts(found.id, kept=kept, code=chosen, key=f"code-{uuid.uuid4().hex}")
    except GatewayRefused as error:
        raise CodeRefused(code, CodeProblem.refused) from error
    lifecycle.note(desk, "apply_code", code=code)
    desk.sync()


def remove(desk: Desk) -> None:
    """As `Account.remove_discounts` says."""
    found = lifecycle.living(desk)
    if found.discounts:
        desk.gateway.set_discounts(found.id, kept=[], code=None, key=f"code-{uuid.uuid4().hex}")
        lifecycle.note(desk, "remove_discounts")
        desk.sync()


def _problem(desk: Desk, code: PromotionCode, price: Price | None, quantity: int) -> CodeProblem | None:
    truth = desk.truth()
    has_paid = any(one.status == "paid" and one.amount_minor > 0 for one in truth.invoices) if truth else False
    is_counted = price is not None and code.minimum_minor is not None and code.minimum_currency == price.currency
    checks = {
        CodeProblem.exhausted: code.redemptions_max is not None and code.redemptions >= code.redemptions_max,
        CodeProblem.expired: code.expires_at is not None and code.expires_at <= desk.clock(),
        CodeProblem.inactive: not code.is_active,
        CodeProblem.other_customer: code.customer is not None and code.customer != desk.row().customer,
        CodeProblem.first_purchase_only: code.is_for_first_purchase and has_paid,
        CodeProblem.below_minimum: is_counted and price is not None and price.amount_minor * quantity < (code.minimum_minor or 0),
    }
    return next((problem for problem, holds in checks.items() if holds), None)
