"""The life of a subscription: it starts, renews at each period's end, and ends."""

from __future__ import annotations

from .. import agenda
from ..objects import Object
from ..resources import customers, events, invoices, payment_methods, prices, products, subscriptions
from ..resources.invoice_lines import Line
from ..resources.subscriptions import Wanted
from ..world import World
from . import collection, proration
from .periods import period_end

PERIOD_END = "period_end"
FINALIZE = "finalize_invoice"
TRIAL_WILL_END = "trial_will_end"
UPCOMING = "invoice_upcoming"
PENDING_LINE = "pending_line"
TRIAL_NOTICE_S = 3 * 86400
UPCOMING_NOTICE_S = 7 * 86400


def start(
    world: World,
    *,
    customer: str,
    wanted: list[Wanted],
    trial_end: int | None = None,
    default_payment_method: str | None = None,
    metadata: dict[str, str] | None = None,
    description: str | None = None,
    missing_payment_method: str = "create_invoice",
    save_default_payment_method: str = "off",
) -> Object:
    """Add a subscription and its first invoice, finalised but not yet collected (a trial's costs nothing and is paid at once)."""
    now = world.now
    prices.refuse_mixed_currencies([each.price for each in wanted], world.store.get(customers.KIND, customer)["currency"])
    end = trial_end or period_end(now, wanted[0].price["recurring"], after=now)
    subscription = subscriptions.create(
        world,
        customer=customer,
        wanted=wanted,
        period=(now, end),
        trial_end=trial_end,
        default_payment_method=default_payment_method,
        metadata=metadata or {},
        description=description,
        missing_payment_method=missing_payment_method,
        save_default_payment_method=save_default_payment_method,
    )
    lines = [
        proration.whole(item, name=products.name_of(world, item), is_trial=bool(trial_end)) for item in subscriptions.items(subscription)
    ]
    invoice = invoices.draft(world, subscription, lines, reason="subscription_create", period=(now, now))
    subscriptions.change(world, subscription["id"], latest_invoice=invoice["id"])
    _plan_period(world, subscription["id"], end, is_trial=bool(trial_end))
    if not trial_end:
        agenda.plan(world, collection.EXPIRE_INCOMPLETE, subscription["id"], at=now + collection.INCOMPLETE_S)
    if invoices.finalize(world, invoice["id"])["status"] == "paid":
        collection.after_payment(world, invoice["id"])
    return world.store.get(subscriptions.KIND, subscription["id"])


def reach_period_end(world: World, subscription_id: str) -> None:
    """End, or begin the next period: roll the items on and draft the invoice, which is finalised an hour later."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] in subscriptions.ENDED or subscription["status"] == "incomplete":
        return
    if subscription["cancel_at_period_end"] or (subscription["cancel_at"] or world.now + 1) <= world.now:
        end(world, subscription_id, reason="cancellation_requested")
        return
    was_trial = subscription["status"] == "trialing"
    if was_trial and _has_no_card(world, subscription) and _missing_method(subscription) == "cancel":
        end(world, subscription_id, reason="cancellation_requested")
        return
    _renew(world, subscription, was_trial=was_trial)


def end(world: World, subscription_id: str, *, reason: str, details: Object | None = None) -> Object:
    """Cancel now: no renewals, no retries; open invoices stay open for whoever wants to pay."""
    for action in (PERIOD_END, TRIAL_WILL_END, UPCOMING, collection.EXPIRE_INCOMPLETE):
        agenda.cancel(world, action, subscription_id)
    customer = world.store.get(subscriptions.KIND, subscription_id)["customer"]
    for invoice in list(world.store.where(invoices.KIND, customer=customer, auto_advance=True)):
        if invoices.subscription_id(invoice) == subscription_id:
            invoices.change(world, invoice["id"], auto_advance=False, next_payment_attempt=None, automatically_finalizes_at=None)
            agenda.cancel(world, collection.RETRY, invoice["id"])
            agenda.cancel(world, FINALIZE, invoice["id"])
    return subscriptions.end(world, subscription_id, reason=reason, details=details)


def finalize_and_collect(world: World, invoice_id: str) -> None:
    """Open a renewal's draft and charge it."""
    if world.store.get(invoices.KIND, invoice_id)["status"] != "draft":
        return
    if invoices.finalize(world, invoice_id)["status"] == "paid":
        collection.after_payment(world, invoice_id)
    else:
        collection.collect(world, invoice_id)


def announce_trial_end(world: World, subscription_id: str) -> None:
    """Emit customer.subscription.trial_will_end, three days before."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] == "trialing":
        events.emit(world, "customer.subscription.trial_will_end", subscription)


def announce_renewal(world: World, subscription_id: str) -> None:
    """Emit invoice.upcoming, a week before; that invoice has no id, because it does not exist yet."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if (
        subscription["status"] not in ("active", "past_due", "trialing")
        or subscription["cancel_at_period_end"]
        or subscription["cancel_at"]
    ):
        return
    preview = upcoming(world, subscription)
    preview.pop("id")
    events.emit(world, "invoice.upcoming", preview)


def upcoming(world: World, subscription: Object, extra: list[Line] | None = None) -> Object:
    """Return the next renewal's invoice without keeping it."""
    _, boundary = subscriptions.period(subscription)
    rolled = _rolled(subscription, boundary)
    lines = [*(extra or []), *pending_lines(world, subscription["id"]), *_whole(world, rolled)]
    shown = invoices.build(
        world,
        subscription,
        lines,
        reason="upcoming",
        period=subscriptions.period(subscription),
        invoice_id=f"upcoming_{world.new_id('in')}",
    )
    return {**shown, "next_payment_attempt": boundary + world.settings.draft_s}


def pending_lines(world: World, subscription_id: str) -> list[Line]:
    """Return the prorations that wait for the next invoice."""
    return [Line(**each["line"]) for each in world.store.where(PENDING_LINE, subscription=subscription_id)]


def _renew(world: World, subscription: Object, *, was_trial: bool) -> None:
    start_at, boundary = subscriptions.period(subscription)
    items = _rolled(subscription, boundary)
    lines = [*pending_lines(world, subscription["id"]), *_whole(world, items)]
    for each in list(world.store.where(PENDING_LINE, subscription=subscription["id"])):
        world.store.remove(PENDING_LINE, each["id"])
    collects = subscription["status"] != "unpaid"
    invoice = invoices.draft(world, subscription, lines, reason="subscription_cycle", period=(start_at, boundary), auto_advance=collects)
    status = {"status": "active"} if was_trial else {}
    subscriptions.change(
        world, subscription["id"], items=subscriptions.with_items(subscription, items), latest_invoice=invoice["id"], **status
    )
    _plan_period(world, subscription["id"], items[0]["current_period_end"])
    if collects:
        at = world.now + world.settings.draft_s
        invoices.change(world, invoice["id"], automatically_finalizes_at=at)
        agenda.plan(world, FINALIZE, invoice["id"], at=at)


def _rolled(subscription: Object, boundary: int) -> list[Object]:
    return [
        {
            **item,
            "current_period_start": boundary,
            "current_period_end": period_end(subscription["billing_cycle_anchor"], item["price"]["recurring"], after=boundary),
        }
        for item in subscriptions.items(subscription)
    ]


def _whole(world: World, items: list[Object]) -> list[Line]:
    return [proration.whole(item, name=products.name_of(world, item)) for item in items]


def _plan_period(world: World, subscription_id: str, end_at: int, *, is_trial: bool = False) -> None:
    agenda.plan(world, PERIOD_END, subscription_id, at=end_at)
    if end_at - UPCOMING_NOTICE_S > world.now:
        agenda.plan(world, UPCOMING, subscription_id, at=end_at - UPCOMING_NOTICE_S)
    if is_trial:
        agenda.plan(world, TRIAL_WILL_END, subscription_id, at=max(world.now, end_at - TRIAL_NOTICE_S))


def replan(world: World, subscription_id: str) -> None:
    """Follow a subscription whose period was moved."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    _plan_period(world, subscription_id, subscriptions.period(subscription)[1], is_trial=subscription["status"] == "trialing")


def _has_no_card(world: World, subscription: Object) -> bool:
    return payment_methods.default_for(world, subscription, subscription["customer"]) is None


def _missing_method(subscription: Object) -> str:
    return str(subscription["trial_settings"]["end_behavior"]["missing_payment_method"])
