"""The life of a subscription: it starts, renews at each period's end, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import agenda
from ..errors import InvalidRequest
from ..objects import Object
from ..periods import period_end
from ..resources import customers, discounts, events, invoice_items, invoices, payment_methods, prices, products, subscriptions
from ..resources.invoice_lines import Line
from ..resources.subscriptions import Wanted
from ..world import World
from . import collection, debited, drafting, proration, usage, waiting

PERIOD_END = "period_end"
FINALIZE = "finalize_invoice"
TRIAL_WILL_END = "trial_will_end"
UPCOMING = "invoice_upcoming"
END_BY_DATE = "end_by_date"
RESUME_COLLECTION = "resume_collection"
TRIAL_NOTICE_S = 3 * 86400
UPCOMING_NOTICE_S = 7 * 86400


def start(
    world: World,
    *,
    customer: str,
    wanted: list[Wanted],
    trial_end: int | None = None,
    discounts_given: Sequence[Object] = (),
    once: Sequence[Object] = (),
    **values: Any,
) -> Object:
    """Add a subscription and its first invoice, finalised but not yet collected (a trial's costs nothing and is paid at once).

    Args:
        discounts_given: entries of a `discounts` parameter, redeemed here.
        once: `price`, `quantity` and `description` of what is paid once, on the first invoice.
        values: fields of the subscription that differ from the usual.
    """
    now = world.now
    prices.refuse_mixed_currencies([each.price for each in wanted], world.store.get(customers.KIND, customer)["currency"])
    ends = [trial_end or period_end(now, each.price["recurring"], after=now) for each in wanted]
    end = min(ends)
    subscription_id = world.new_id("sub")
    amount = sum(prices.upfront(each.price, each.quantity) for each in wanted)
    redeemed = [discounts.apply(world, each, customer=customer, amount=amount, subscription=subscription_id) for each in discounts_given]
    is_sent = values.get("collection_method") == "send_invoice"
    subscription = subscriptions.create(
        world,
        subscription_id,
        customer=customer,
        wanted=wanted,
        ends=ends,
        status="trialing" if trial_end else ("active" if is_sent else "incomplete"),
        trial_end=trial_end,
        discounts=[each["id"] for each in redeemed],
        **values,
    )
    for each in once:
        asked = {"quantity": each["quantity"], "description": each["description"], "subscription": subscription_id}
        invoice_items.create(world, asked, customer=customer, price=each["price"], invoice=None)
    lines = whole_lines(world, subscriptions.items(subscription), is_trial=bool(trial_end))
    invoice = drafting.open_draft(world, subscription, lines, reason="subscription_create", period=(now, now))
    subscriptions.change(world, subscription_id, latest_invoice=invoice["id"])
    if not trial_end:
        _note_billed(world, subscription_id, invoice)
    _plan_period(world, subscription_id, end, is_trial=bool(trial_end))
    if subscription["status"] == "incomplete":
        agenda.plan(world, collection.EXPIRE_INCOMPLETE, subscription_id, at=now + collection.INCOMPLETE_S)
    finalize(world, invoice["id"])
    return world.store.get(subscriptions.KIND, subscription_id)


def finalize(world: World, invoice_id: str) -> Object:
    """Open a draft; one with nothing due is paid, one to be sent is sent. Nothing is charged here."""
    usage.take_late(world, invoice_id)
    invoice = invoices.finalize(world, invoice_id)
    world.store.remove(drafting.LINES, invoice_id)
    if invoice["status"] == "paid":
        collection.after_payment(world, invoice_id)
    elif invoice["collection_method"] == "send_invoice":
        send(world, invoice_id)
    return world.store.get(invoices.KIND, invoice_id)


def send(world: World, invoice_id: str) -> Object:
    """Mail an open invoice (nobody gets a mail here), and expect it to be paid by its due date."""
    invoice = world.store.get(invoices.KIND, invoice_id)
    events.emit(world, "invoice.sent", invoice)
    if invoice["due_date"]:
        agenda.plan(world, collection.OVERDUE, invoice_id, at=invoice["due_date"])
    return invoice


def reach_period_end(world: World, subscription_id: str) -> None:
    """End, or begin the next period: roll the items on and draft the invoice, which is finalised an hour later."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] in subscriptions.ENDED or subscription["status"] == "incomplete":
        return
    if subscription["cancel_at_period_end"] or (subscription["cancel_at"] or world.now + 1) <= world.now:
        _end_billed(world, subscription)
        return
    if subscription["status"] == "paused":
        return
    was_trial = subscription["status"] == "trialing"
    missing_method = _missing_method(subscription) if was_trial and _has_no_card(world, subscription) else "create_invoice"
    if missing_method == "cancel":
        end(world, subscription_id, reason="cancellation_requested")
        return
    if missing_method == "pause":
        pause(world, subscription_id)
        return
    _renew(world, subscription, was_trial=was_trial)


def pause(world: World, subscription_id: str) -> None:
    """A trial ends without a card: the subscription waits, unbilled, until it is resumed."""
    why = {"subscription": {"type": "trial_end_without_payment_method"}, "transitioned_at": world.now, "type": "subscription"}
    subscription = subscriptions.change(world, subscription_id, status="paused", status_details={"paused": why})
    events.emit(world, "customer.subscription.paused", subscription)


def resume(world: World, subscription_id: str) -> Object:
    """Begin a new period of a paused subscription now, and return its invoice, opened and not yet collected.

    Raises:
        InvalidRequest: it is not paused.
    """
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] != "paused":
        raise InvalidRequest(f"You can only resume a subscription whose status is paused; this one is {subscription['status']}.")
    now = world.now
    items = [
        {**each, "current_period_start": now, "current_period_end": period_end(now, each["price"]["recurring"], after=now)}
        for each in subscriptions.items(subscription)
    ]
    moved = {"items": subscriptions.with_items(subscription, items), "billing_cycle_anchor": now}
    invoice = drafting.open_draft(
        world, {**subscription, **moved}, whole_lines(world, items), reason="subscription_update", period=(now, now)
    )
    subscriptions.change(world, subscription_id, **moved, latest_invoice=invoice["id"])
    _note_billed(world, subscription_id, invoice)
    _plan_period(world, subscription_id, min(each["current_period_end"] for each in items))
    return finalize(world, invoice["id"])


def end_by_date(world: World, subscription_id: str) -> None:
    """The moment has come that `cancel_at` named, unless somebody has moved it since."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] not in subscriptions.ENDED and (subscription["cancel_at"] or world.now + 1) <= world.now:
        _end_billed(world, subscription)


def _end_billed(world: World, subscription: Object) -> None:
    """End as was asked before, with a last invoice for what was used and what still waits."""
    from . import final_invoice  # it bills what this module knows

    if subscription["status"] in ("active", "trialing", "past_due"):
        final_invoice.bill(world, subscription, prorates=False)
    end(world, subscription["id"], reason="cancellation_requested")


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
            agenda.cancel(world, collection.OVERDUE, invoice["id"])
    return subscriptions.end(world, subscription_id, reason=reason, details=details)


def finalize_and_collect(world: World, invoice_id: str) -> None:
    """Open a renewal's draft and charge it; a paused collection writes it off or voids it instead."""
    draft = world.store.find(invoices.KIND, invoice_id)
    if draft is None or draft["status"] != "draft":
        return
    subscription = collection.subscription_of(world, draft)
    invoice = finalize(world, invoice_id)
    if invoice["status"] != "open":
        return
    paused = subscription["pause_collection"] if subscription else None
    if paused and paused["behavior"] == "void":
        invoices.void(world, invoice_id)
    elif paused and paused["behavior"] == "mark_uncollectible":
        invoices.mark_uncollectible(world, invoice_id)
    elif invoice["collection_method"] == "charge_automatically":
        collection.collect(world, invoice_id)


def resume_collection(world: World, subscription_id: str) -> None:
    """A pause of the collection ends by its date."""
    if world.store.get(subscriptions.KIND, subscription_id)["pause_collection"]:
        subscriptions.change(world, subscription_id, pause_collection=None)


def announce_trial_end(world: World, subscription_id: str) -> None:
    """Emit customer.subscription.trial_will_end, three days before."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] == "trialing":
        events.emit(world, "customer.subscription.trial_will_end", subscription)


def _renew(world: World, subscription: Object, *, was_trial: bool) -> None:
    start_at, boundary = subscriptions.period(subscription)
    items = rolled(subscription, boundary)
    ended = [each for each in subscriptions.items(subscription) if each["current_period_end"] <= boundary and not was_trial]
    used = usage.lines(world, subscription["customer"], ended, until=boundary)
    lines = [*waiting.taken(world, subscription["id"]), *used, *whole_lines(world, begun(items, boundary))]
    paused = subscription["pause_collection"]
    collects = subscription["status"] != "unpaid" and not (paused and paused["behavior"] == "keep_as_draft")
    period = (start_at, boundary)
    invoice = drafting.open_draft(world, subscription, lines, reason="subscription_cycle", period=period, auto_advance=collects)
    status = {"status": "active"} if was_trial else {}
    subscriptions.change(
        world, subscription["id"], items=subscriptions.with_items(subscription, items), latest_invoice=invoice["id"], **status
    )
    _note_billed(world, subscription["id"], invoice)
    _plan_period(world, subscription["id"], min(each["current_period_end"] for each in items))
    if collects:
        at = world.now + world.settings.draft_s
        invoices.change(world, invoice["id"], automatically_finalizes_at=at)
        agenda.plan(world, FINALIZE, invoice["id"], at=at)


def _note_billed(world: World, subscription_id: str, invoice: Object) -> None:
    """Remember what the items were debited at, and drop the discounts that are used up."""
    debited.note_lines(world, invoice)
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    used = {each["discount"] for each in invoice["total_discount_amounts"]}
    over = [each for each in subscription["discounts"] if discounts.is_spent(world, each, was_used=each in used)]
    if over:
        subscriptions.change(world, subscription_id, discounts=[each for each in subscription["discounts"] if each not in over])
    for each in over:
        discounts.end(world, each)


def rolled(subscription: Object, boundary: int) -> list[Object]:
    """Return the items after a boundary: those whose period ends there in their next one, the others as they are."""
    return [
        {
            **item,
            "current_period_start": boundary,
            "current_period_end": period_end(subscription["billing_cycle_anchor"], item["price"]["recurring"], after=boundary),
        }
        if item["current_period_end"] <= boundary
        else item
        for item in subscriptions.items(subscription)
    ]


def begun(items: list[Object], at: int) -> list[Object]:
    """Return the items whose period begins at a moment."""
    return [each for each in items if each["current_period_start"] == at]


def whole_lines(world: World, items: list[Object], *, is_trial: bool = False) -> list[Line]:
    """Return the lines for the whole period of items; what a meter counts is billed afterwards and has none."""
    licensed = [each for each in items if not prices.is_metered(each["price"])]
    return [proration.whole(item, name=products.name_of(world, item), is_trial=is_trial) for item in licensed]


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
