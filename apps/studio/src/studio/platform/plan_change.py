"""Changing what a studio is subscribed to: billing's verbs, what a person is shown of them, and sentences of ours where they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from roomtone_billing import Access, Account, Catalogue, Interval, Obstacle, Preview, Status, SubscriptionView
from roomtone_billing.errors import (
    AlreadySubscribed,
    BillingError,
    CatalogueError,
    ChangeInProgress,
    ChangeRefused,
    GatewayError,
    GatewayRefused,
    LimitsExceeded,
    NoCustomer,
    NotSubscribed,
    PreviewOutdated,
    UnknownPreview,
)
from studio.errors import Refused
from studio.platform.plans import AI_CREDITS, OWN_ADDRESSES, plan_named

_CHANGEABLE = frozenset({Status.active, Status.trialing})


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One plan at one interval, as it can be chosen."""

    plan_key: str
    name: str
    interval: Interval
    price_minor: int
    currency: str
    credits: int
    addresses: int
    is_current: bool


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A change in the words of its page.

    Attributes:
        charge_minor: the new plan until the present period ends, or its first whole period.
        back_minor: given back for the time that was paid and not used.
        kept_minor: more was given back than is due; it pays later invoices.
        balance_minor: what an earlier such amount pays of this.
        credits_now: AI credits more, at once.
    """

    preview: Preview
    name: str
    charge_minor: int
    back_minor: int
    kept_minor: int
    balance_minor: int
    credits: int
    credits_before: int
    credits_now: int
    hindrances: tuple[str, ...]


def main(account: Account) -> SubscriptionView | None:
    """The subscription that decides what the studio may do, if there is one."""
    return next((one for one in account.subscriptions() if one.is_main), None)


def choices(catalogue: Catalogue, current: SubscriptionView) -> list[Choice]:
    """What may be changed to, cheapest first, the present plan among it."""
    found = [
        Choice(
            plan_key=plan.key,
            name=plan.name,
            interval=price.interval,
            price_minor=price.amount_minor,
            currency=price.currency,
            credits=plan.limits[AI_CREDITS],
            addresses=plan.limits[OWN_ADDRESSES],
            is_current=(plan.key, price.interval) == (current.plan_key, current.interval),
        )
        for plan in catalogue.plans
        for price in plan.prices
        if not plan.is_archived or plan.key == current.plan_key
    ]
    return sorted(found, key=lambda one: (one.interval is Interval.year, one.price_minor))


def why_not(current: SubscriptionView | None, access: Access) -> str | None:
    """Why the plan cannot be changed as things stand, or None."""
    if current is None or not access.is_subscribed:
        return _("There is no plan to change yet. Choose one first.")
    if current.pending is not None and current.pending.waits_for == "payment":
        return _("Another change waits for its payment. Pay it, or wait until it is forgotten; then choose again.")
    if current.status not in _CHANGEABLE:
        return _("The last invoice is to be paid first. Then the plan can be changed.")
    if current.paused_at is not None:
        return _("The plan is paused. Let it go on first; then it can be changed.")
    if current.cancel_at is not None:
        return _("The plan is about to end. Keep it first; then it can be changed.")
    return None


def cost(account: Account, current: SubscriptionView, *, plan_key: str, interval: Interval) -> Cost:
    """What a change would cost, asked now.

    Raises:
        Refused: it cannot be made, or nobody can say.
    """
    with refusals():
        preview = account.preview_change(plan_key, interval=interval)
    charge = sum(line.amount_minor for line in preview.lines if line.amount_minor > 0)
    total = charge - preview.credit_minor
    after, before = plan_named(plan_key), plan_named(current.plan_key) if current.plan_key else None
    credits_before = before.limits[AI_CREDITS] if before else 0
    return Cost(
        preview=preview,
        name=after.name,
        charge_minor=charge,
        back_minor=preview.credit_minor,
        kept_minor=max(-total, 0),
        balance_minor=max(total - preview.due_now_minor, 0) if total > 0 else 0,
        credits=after.limits[AI_CREDITS],
        credits_before=credits_before,
        credits_now=max(after.limits[AI_CREDITS] - credits_before, 0) if preview.takes_effect == "now" else 0,
        hindrances=tuple(hindrance(one, after.name) for one in preview.obstacles),
    )


def hindrance(obstacle: Obstacle, plan_name: str) -> str:
    """Why a smaller plan does not fit, and what to do first."""
    too_many = obstacle.used - obstacle.allowed
    if obstacle.limit == OWN_ADDRESSES:
        includes = ngettext(
            "%(plan)s includes %(num)s address of your own, and you have %(used)s.",
            "%(plan)s includes %(num)s addresses of your own, and you have %(used)s.",
            obstacle.allowed,
            plan=plan_name,
            used=obstacle.used,
        )
        remove = _("Remove %(number)s of them under Settings, Addresses; then come back.", number=too_many)
        return f"{includes} {remove}"
    return _("You use more of %(limit)s than %(plan)s includes.", limit=obstacle.limit, plan=plan_name)


@contextmanager
def refusals() -> Iterator[None]:
    """Billing's refusals as sentences for the owner.

    Raises:
        Refused: instead of any of them.
    """
    try:
        yield
    except BillingError as error:
        raise Refused(_sentence(error)) from error


def _sentence(error: BillingError) -> str:
    if isinstance(error, LimitsExceeded):
        return " ".join(hindrance(one, plan_named(error.plan).name) for one in error.obstacles)
    sentences = (
        (
            (PreviewOutdated, UnknownPreview),
            _("The price has changed since it was shown, so nothing was done. Look at the new one and confirm again."),
        ),
        (ChangeInProgress, _("The plan is being changed in another window. Look again in a moment.")),
        (ChangeRefused, _("The plan cannot be changed so at the moment. Nothing was done.")),
        ((NotSubscribed, NoCustomer), _("There is no plan to change yet. Choose one first.")),
        (CatalogueError, _("This cannot be had at the moment. Please write to us.")),
        (AlreadySubscribed, _("You have a plan already. Change it here instead of buying another.")),
        (GatewayRefused, _("The payment service refused. Nothing was changed.")),
        (GatewayError, _("The payment service does not answer. Please try again in a minute; nothing is charged twice.")),
    )
    for kinds, sentence in sentences:
        if isinstance(error, kinds):
            return sentence
    raise error
