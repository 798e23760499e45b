"""Ending, pausing and going on: what a host may do with a subscription that exists, and how it may take that back."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from . import history, sync
from .access import Access, Cause
from .desk import Desk
from .errors import GatewayRefused, NotSubscribed, UnknownAccount
from .gateway import CancelReason
from .models import AccountRow
from .plans import Interval
from .snapshot import Discount, Snapshot, Status, Subscription
from .transactions import writing

End = Literal["period_end", "now"]
_OVER = frozenset({Status.canceled, Status.incomplete_expired})


@dataclass(frozen=True, kw_only=True)
class PaymentState:
    """How the newest invoice of a subscription stands: `status` as Stripe says; at `url` a customer can pay it or confirm it."""

    status: str
    amount_minor: int
    currency: str
    needs_action: bool
    url: str | None


@dataclass(frozen=True, kw_only=True)
class PendingChange:
    """A change that is to come. `waits_for` is `period_end`, or `payment` until which nothing changes and which `url` takes.

    Of a change that waits for its payment only the end of the waiting is known, in `at`; the plan it brings is not.
    """

    waits_for: Literal["period_end", "payment"]
    at: datetime
    plan_key: str | None = None
    interval: Interval | None = None
    seats: int | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class SubscriptionView:
    """One subscription to show; `plan_key` is None when its price is foreign to the catalogue. The one that decides has `is_main`."""

    id: str
    is_main: bool
    status: Status
    plan_key: str | None
    interval: Interval | None
    seats: int | None
    period_start: datetime
    period_end: datetime
    cancel_at: datetime | None
    paused_at: datetime | None
    resumes_at: datetime | None
    pending: PendingChange | None
    discounts: tuple[Discount, ...]
    payment: PaymentState | None


def views(desk: Desk) -> list[SubscriptionView]:
    """All subscriptions of the last snapshot: the one that decides first, then the newest."""
    truth = desk.truth()
    if truth is None:
        return []
    main = truth.main()
    newest = sorted(truth.subscriptions, key=lambda one: (one is main, one.created_at, one.id), reverse=True)
    return [_view(desk, truth, one, is_main=one is main) for one in newest]


def pending(desk: Desk, truth: Snapshot, subscription: Subscription) -> PendingChange | None:
    """What is to come of a subscription; None when nothing is."""
    if subscription.update_until is not None:
        invoice = truth.latest_invoice(subscription)
        return PendingChange(waits_for="payment", at=subscription.update_until, url=invoice.hosted_url if invoice else None)
    planned = subscription.scheduled
    if planned is None:
        return None
    return PendingChange(
        waits_for="period_end",
        at=planned.at,
        plan_key=desk.rules.catalogue.identify(plan=planned.price.plan, lookup_key=planned.price.lookup_key),
        interval=planned.price.interval,
        seats=planned.quantity,
    )


def living(desk: Desk, subscription: str | None = None) -> Subscription:
    """The subscription that a verb is about, from the truth of now.

    Raises:
        NotSubscribed: there is none, or it is over.
    """
    desk.known_customer()
    desk.sync()
    truth = desk.truth()
    found = truth and (truth.subscription(subscription) if subscription else truth.main())
    if not found or found.status in _OVER:
        raise NotSubscribed(desk.account)
    return found


def cancel(desk: Desk, subscription: str | None, *, at: End | datetime, reason: CancelReason | None, comment: str | None) -> Access:
    """As `Account.cancel` says."""
    if isinstance(at, datetime) and at <= desk.clock():
        raise ValueError(f"{at} is not in the future; pass at='now' to end the subscription now")
    found = living(desk, subscription)
    if found.schedule:
        # Stripe refuses to end a subscription that a schedule governs, and what was to come will not come.
        desk.gateway.release_schedule(found.schedule)
    if at == "now":
        try:
            desk.gateway.end_subscription(found.id, reason=reason, comment=comment)
        except GatewayRefused as error:
            if error.code != "resource_missing":
                raise
    else:
        moment = at if isinstance(at, datetime) else None
        desk.gateway.end_subscription_at(found.id, at=moment, reason=reason, comment=comment, key=_key("cancel"))
    note(desk, "cancel", reason=comment, at=str(at), feedback=reason)
    return desk.sync()


def resume(desk: Desk, subscription: str | None) -> Access:
    """As `Account.resume` says."""
    found = living(desk, subscription)
    if found.status is Status.paused:
        desk.gateway.restart_subscription(found.id, key=_key("restart"))
    if found.collection_paused_at is not None:
        desk.gateway.resume_collection(found.id, key=_key("resume"))
    if found.cancel_at is not None:
        desk.gateway.keep_subscription(found.id, key=_key("keep"))
    note(desk, "resume")
    return desk.sync()


def pause(desk: Desk, subscription: str | None, *, until: datetime | None, reason: str | None) -> Access:
    """As `Account.pause` says."""
    now = desk.clock()
    if until is not None and until <= now:
        raise ValueError(f"{until} is not in the future")
    found = living(desk, subscription)
    since = found.collection_paused_at or now
    desk.gateway.pause_collection(found.id, paused_at=since, resumes_at=until, key=_key("pause"))
    note(desk, "pause", reason=reason, until=until.isoformat() if until else None)
    return desk.sync()


def undo_change(desk: Desk) -> Access:
    """As `Account.undo_change` says."""
    found = living(desk)
    if found.schedule:
        desk.gateway.release_schedule(found.schedule)
        note(desk, "undo_change")
    return desk.sync()


def retry_payments(desk: Desk) -> Access:
    """As `Account.retry_payments` says."""
    desk.known_customer()
    desk.sync()
    truth = desk.truth()
    owed = [one for one in truth.invoices if one.status == "open" and one.owed_since is not None] if truth else []
    for invoice in sorted(owed, key=lambda one: one.created_at):
        with suppress(GatewayRefused):  # the card declines, or somebody has just paid it: the truth tells
            desk.gateway.pay_invoice(invoice.id)
    return desk.sync()


def suspend(desk: Desk, *, reason: str, cause: Cause) -> Access:
    """As `Account.suspend` says."""
    return _set_suspension(desk, "suspend", reason=reason, cause=cause)


def lift_suspension(desk: Desk, *, reason: str) -> Access:
    """As `Account.lift_suspension` says."""
    return _set_suspension(desk, "lift_suspension", reason=reason, cause=None)


def note(desk: Desk, what: str, *, reason: str | None = None, **facts: object) -> None:
    """Write down in the account's history what somebody did."""
    with writing(desk.engine) as session:
        history.note(session, desk.account, what, now=desk.clock(), reason=reason, **facts)


def _set_suspension(desk: Desk, what: str, *, reason: str, cause: Cause | None) -> Access:
    now = desk.clock()
    with writing(desk.engine) as session:
        row = session.get(AccountRow, desk.account, with_for_update=True)
        if row is None:
            raise UnknownAccount(desk.account)
        row.suspended_at = (row.suspended_at or now) if cause else None
        row.suspended_cause, row.suspended_reason = cause, reason if cause else None
        history.note(session, desk.account, what, now=now, reason=reason, cause=cause)
        sync.settle_phase(session, row, rules=desk.rules, now=now)
    desk.facts.forget(desk.account)
    return desk.access()


def _view(desk: Desk, truth: Snapshot, one: Subscription, *, is_main: bool) -> SubscriptionView:
    invoice = truth.latest_invoice(one)
    return SubscriptionView(
        id=one.id,
        is_main=is_main,
        status=one.status,
        plan_key=desk.rules.catalogue.identify(plan=one.price.plan, lookup_key=one.price.lookup_key),
        interval=one.price.interval,
        seats=one.quantity,
        period_start=one.period_start,
        period_end=one.period_end,
        cancel_at=one.cancel_at,
        paused_at=one.collection_paused_at or one.paused_at,
        resumes_at=one.collection_resumes_at,
        pending=pending(desk, truth, one),
        discounts=one.discounts,
        payment=PaymentState(
            status=invoice.status,
            amount_minor=invoice.payable_minor,
            currency=invoice.currency,
            needs_action=invoice.needs_action,
            url=invoice.hosted_url,
        )
        if invoice
        else None,
    )


def _key(verb: str) -> str:
    return f"{verb}-{uuid.uuid4().hex}"
