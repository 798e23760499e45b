"""Stripe's objects, as plain dictionaries, into our values. What this cannot read raises `MalformedTruth`, never a default.

Source: https://docs.stripe.com/api at 2026-10-28.endive: periods are on the items, an invoice names its subscription in `parent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..errors import MalformedTruth
from ..gateway import PublishedPrice
from ..plans import Interval
from ..snapshot import Invoice, Pause, PriceRef, Snapshot, Status, Subscription
from .payments import payments, purchases

Object = Mapping[str, Any]  # Any: JSON from outside, read field by field below


def snapshot(
    customer: Object,
    subscriptions: Iterable[Object],
    invoices: Iterable[Object],
    *,
    checkouts: Iterable[Object] = (),
    charges: Iterable[Object] = (),
) -> Snapshot:
    """A customer with its subscriptions (payment methods expanded), invoices, completed checkouts and charges."""
    listed = list(subscriptions)
    truth = Snapshot(
        customer=customer["id"],
        subscriptions=tuple(subscription(one) for one in listed),
        invoices=tuple(invoice(one) for one in invoices),
        purchases=purchases(checkouts),
        payments=payments(charges),
    )
    main = truth.main()
    method = next((one.get("default_payment_method") for one in listed if main and one["id"] == main.id), None)
    return replace(truth, card=card(method or (customer.get("invoice_settings") or {}).get("default_payment_method")))


def subscription(thing: Object) -> Subscription:
    """One subscription; of several items the first whose price names a plan of ours decides, else the first.

    Raises:
        MalformedTruth: its status is unknown, or it has no item with a period.
    """
    try:
        items = thing["items"]["data"]
        prices = [price(item["price"]) for item in items]
        deciding = next((at for at, one in enumerate(prices) if one.plan or one.lookup_key), 0)
        item = items[deciding]
        period_end = _at(item["current_period_end"])
        paused = (thing.get("status_details") or {}).get("paused") or {}
        return Subscription(
            id=thing["id"],
            status=Status(thing["status"]),
            created_at=_at(thing["created"]),
            price=prices[deciding],
            period_start=_at(item["current_period_start"]),
            period_end=period_end,
            trial_end=_maybe_at(thing.get("trial_end")),
            # A cancellation asked for in the portal has a date without the flag; an older one has the flag alone.
            cancel_at=_maybe_at(thing.get("cancel_at")) or (period_end if thing.get("cancel_at_period_end") else None),
            ended_at=_maybe_at(thing.get("ended_at")),
            ended_unpaid=(thing.get("cancellation_details") or {}).get("reason") == "payment_failed",
            pause=_pause(paused),
            paused_at=_maybe_at(paused.get("transitioned_at")),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedTruth(f"subscription {_name(thing)}", f"{type(error).__name__} {error}") from error


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
