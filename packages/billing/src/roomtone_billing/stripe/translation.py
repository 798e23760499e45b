"""Stripe's objects, as plain dictionaries, into our values. What this cannot read raises `MalformedTruth`, never a default.

Source: https://docs.stripe.com/api at 2026-10-28.endive: periods are on the items, an invoice names its subscription in `parent`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..credit_note import CreditNote
from ..dispute import Dispute
from ..errors import MalformedTruth
from ..gateway import PublishedPrice
from ..plans import Interval
from ..snapshot import Discount, Invoice, Item, Pause, PriceRef, ScheduledChange, Snapshot, Status, Subscription
from .payments import payments, purchases

# The metadata of a subscription that says since when its collection is paused; Stripe itself does not.
PAUSED_AT = "paused_at"

Object = Mapping[str, Any]  # Any: JSON from outside, read field by field below


def snapshot(
    customer: Object,
    subscriptions: Iterable[Object],
    invoices: Iterable[Object],
    *,
    checkouts: Iterable[Object] = (),
    charges: Iterable[Object] = (),
    disputes: Iterable[Dispute] = (),
    credit_notes: Iterable[CreditNote] = (),
    needing_action: Container[str] = (),
    prices: Mapping[str, PriceRef] | None = None,
) -> Snapshot:
    """A customer with its subscriptions (expanded as `stripe.customers.EXPANDED` says), invoices, completed checkouts and charges.

    Args:
        needing_action: the invoices whose payment the bank wants confirmed.
        prices: those that schedules name and nothing else does.
    """
    listed = list(subscriptions)
    truth = Snapshot(
        customer=customer["id"],
        subscriptions=tuple(subscription(one, prices) for one in listed),
        invoices=tuple(replace(found, needs_action=found.id in needing_action) for found in map(invoice, invoices)),
        purchases=purchases(checkouts),
        payments=payments(charges),
        disputes=tuple(disputes),
        credit_notes=tuple(credit_notes),
        currency=(customer.get("currency") or "").upper() or None,
        country=(customer.get("address") or {}).get("country") or None,
    )
    main = truth.main()
    method = next((one.get("default_payment_method") for one in listed if main and one["id"] == main.id), None)
    return replace(truth, card=card(method or (customer.get("invoice_settings") or {}).get("default_payment_method")))


def subscription(thing: Object, known: Mapping[str, PriceRef] | None = None) -> Subscription:
    """One subscription; of several items the first whose price names a plan of ours decides, else the first.

    Args:
        known: prices that its schedule names and it does not have.

    Raises:
        MalformedTruth: its status is unknown, or it has no item with a period.
    """
    try:
        items = [_item(one) for one in thing["items"]["data"]]
        item = next((one for one in items if one.price.plan or one.price.lookup_key), None) or items[0]
        paused = (thing.get("status_details") or {}).get("paused") or {}
        collection = thing.get("pause_collection") or {}
        prices = {one.price.id: one.price for one in items} | dict(known or {})
        return Subscription(
            id=thing["id"],
            status=Status(thing["status"]),
            created_at=_at(thing["created"]),
            price=item.price,
            period_start=item.period_start,
            period_end=item.period_end,
            trial_end=_maybe_at(thing.get("trial_end")),
            # A cancellation asked for in the portal has a date without the flag; an older one has the flag alone.
            cancel_at=_maybe_at(thing.get("cancel_at")) or (item.period_end if thing.get("cancel_at_period_end") else None),
            ended_at=_maybe_at(thing.get("ended_at")),
            ended_unpaid=(thing.get("cancellation_details") or {}).get("reason") == "payment_failed",
            pause=_pause(paused),
            paused_at=_maybe_at(paused.get("transitioned_at")),
            item=item.id,
            quantity=item.quantity,
            items=tuple(items),
            schedule=_reference(thing.get("schedule")),
            scheduled=scheduled(thing.get("schedule"), item, items, prices),
            update_until=_maybe_at((thing.get("pending_update") or {}).get("expires_at")),
            discounts=tuple(discount(one) for one in thing.get("discounts") or () if isinstance(one, Mapping)),
            latest_invoice=_reference(thing.get("latest_invoice")),
            collection_paused_at=_collection_paused_at(thing, item) if collection else None,
            collection_resumes_at=_maybe_at(collection.get("resumes_at")),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedTruth(f"subscription {_name(thing)}", f"{type(error).__name__} {error}") from error


def scheduled(schedule: object, item: Item, items: Iterable[Item], prices: Mapping[str, PriceRef]) -> ScheduledChange | None:
    """What a running schedule makes of the deciding item when its next phase begins; None when there is no next one."""
    if not isinstance(schedule, Mapping) or schedule["status"] not in {"active", "not_started"}:
        return None
    now = (schedule.get("current_phase") or {}).get("start_date", 0)
    phase = min((one for one in schedule["phases"] if one["start_date"] > now), key=lambda one: one["start_date"], default=None)
    if phase is None:
        return None
    others = {one.price.id for one in items if one.id != item.id}
    chosen = next((one for one in phase["items"] if _reference(one["price"]) not in others), phase["items"][0])
    name = str(_reference(chosen["price"]))
    return ScheduledChange(
        schedule=schedule["id"],
        at=_at(phase["start_date"]),
        price=prices.get(name) or PriceRef(id=name),
        quantity=chosen.get("quantity"),
    )


def scheduled_prices(subscriptions: Iterable[Object]) -> list[str]:
    """The ids of prices that schedules name and no item has."""
    found: set[str] = set()
    for thing in subscriptions:
        schedule = thing.get("schedule")
        if isinstance(schedule, Mapping) and schedule["status"] in {"active", "not_started"}:
            had = {item["price"]["id"] for item in thing["items"]["data"]}
            found |= {str(_reference(one["price"])) for phase in schedule["phases"] for one in phase["items"]} - had
    return sorted(found)


def discount(thing: Object) -> Discount:
    """A running discount, its coupon expanded."""
    coupon = (thing.get("source") or {}).get("coupon") or {}
    whole = coupon if isinstance(coupon, Mapping) else {"id": coupon}
    percent = whole.get("percent_off")
    return Discount(
        id=thing["id"],
        coupon=whole["id"],
        name=whole.get("name"),
        promotion_code=_reference(thing.get("promotion_code")),
        percent=None if percent is None else Decimal(str(percent)),
        amount_minor=whole.get("amount_off"),
        currency=(whole.get("currency") or "").upper() or None,
        ends_at=_maybe_at(thing.get("end")),
    )


def _item(thing: Object) -> Item:
    return Item(
        id=thing["id"],
        price=price(thing["price"]),
        quantity=thing.get("quantity"),
        period_start=_at(thing["current_period_start"]),
        period_end=_at(thing["current_period_end"]),
    )


def _collection_paused_at(thing: Object, item: Item) -> datetime:
    """When we asked for it, which we write down; a pause from elsewhere counts from the start of the period."""
    noted = (thing.get("metadata") or {}).get(PAUSED_AT) or ""
    return _at(int(noted)) if noted.isdigit() else item.period_start


def invoice(thing: Object) -> Invoice:
    """One invoice.

    Raises:
        MalformedTruth: a field it must have is absent.
    """
    try:
        parent = (thing.get("parent") or {}).get("subscription_details") or {}
        transitions = thing.get("status_transitions") or {}
        was_tried = bool(thing.get("attempt_count") or thing.get("attempted"))
        return Invoice(
            id=thing["id"],
            subscription=_reference(parent.get("subscription")),
            status=thing["status"],
            reason=thing.get("billing_reason"),
            number=thing.get("number"),
            amount_minor=thing["total"],
            currency=thing["currency"].upper(),
            created_at=_at(thing["created"]),
            owed_since=_maybe_at(thing.get("due_date") or (transitions.get("finalized_at") if was_tried else None)),
            hosted_url=thing.get("hosted_invoice_url"),
            pdf_url=thing.get("invoice_pdf"),
            payments=_intents(thing),
            credited_minor=thing.get("pre_payment_credit_notes_amount") or 0,
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedTruth(f"invoice {_name(thing)}", f"{type(error).__name__} {error}") from error


def price(thing: Object) -> PriceRef:
    """The price of an item; `plan` is what we wrote into its metadata when publishing."""
    return PriceRef(
        id=thing["id"],
        lookup_key=thing.get("lookup_key"),
        plan=(thing.get("metadata") or {}).get("plan"),
        interval=_interval(thing),
    )


def published(thing: Object) -> PublishedPrice:
    """A price as publishing sees it; the amount is -1 where Stripe has no whole number, so it never agrees with ours."""
    amount = thing.get("unit_amount")
    return PublishedPrice(
        id=thing["id"],
        lookup_key=thing["lookup_key"],
        product=_reference(thing["product"]) or "",
        amount_minor=-1 if amount is None else amount,
        currency=thing["currency"].upper(),
        interval=_interval(thing),
        is_one_off=thing.get("type") == "one_time",
    )


def card(method: object) -> str | None:
    """A payment method to show: `visa •••• 4242`; None when there is none, or it has no last digits."""
    if not isinstance(method, Mapping):
        return None
    kind = method.get("type")
    details = method.get(kind) if isinstance(kind, str) else None
    if not isinstance(details, Mapping) or not details.get("last4"):
        return None
    return f"{details.get('brand') or kind} •••• {details['last4']}"


def _interval(thing: Object) -> Interval | None:
    recurring = thing.get("recurring") or {}
    found = recurring.get("interval")
    return Interval(found) if found in set(Interval) and recurring.get("interval_count", 1) == 1 else None


def _pause(paused: Object) -> Pause | None:
    found = (paused.get("subscription") or {}).get("type")
    return Pause(found) if found in set(Pause) else None


def _intents(invoice: Object) -> tuple[str, ...]:
    paid = [one["payment"] for one in (invoice.get("payments") or {}).get("data", ()) if one["status"] == "paid"]
    found = [_reference(one.get("payment_intent")) for one in paid]
    return tuple(one for one in found if one)


def _reference(value: object) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else None


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe_at(seconds: int | None) -> datetime | None:
    return None if seconds is None else _at(seconds)


def _name(thing: object) -> object:
    return thing.get("id") if isinstance(thing, Mapping) else thing
