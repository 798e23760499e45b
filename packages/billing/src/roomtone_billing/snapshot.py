"""What is true at Stripe about one customer, as values: fetched whole, compared and stored whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import TypeAdapter

from .credit_note import CreditNote
from .dispute import Dispute, DisputeState
from .plans import Interval


class Status(StrEnum):
    """Every status a subscription can have at Stripe."""

    trialing = "trialing"
    active = "active"
    past_due = "past_due"
    unpaid = "unpaid"
    paused = "paused"
    canceled = "canceled"
    incomplete = "incomplete"
    incomplete_expired = "incomplete_expired"


class Pause(StrEnum):
    """Why a subscription is paused; Stripe also pauses at the end of dunning."""

    requested = "pause_requested"
    trial_without_card = "trial_end_without_payment_method"
    first_payment = "first_payment_failure"
    final_payment = "final_payment_failure"
    system = "system"


# The order in which several subscriptions of one customer decide: whatever gives more access goes first.
_RANK = (Status.active, Status.trialing, Status.past_due, Status.paused, Status.unpaid, Status.canceled)


@dataclass(frozen=True, kw_only=True)
class PriceRef:
    """The price a subscription is on, with all that names its plan."""

    id: str
    lookup_key: str | None = None
    plan: str | None = None
    interval: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing a subscription sells; `quantity` is None where a meter counts."""

    id: str
    price: PriceRef
    quantity: int | None
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class ScheduledChange:
    """What a schedule at Stripe will make of the item that decides the plan, and when."""

    schedule: str
    at: datetime
    price: PriceRef
    quantity: int | None


@dataclass(frozen=True, kw_only=True)
class Discount:
    """A coupon that runs: either `percent` (0 to 100) or `amount_minor` in `currency`; `ends_at` is None for ever, or for one invoice."""

    id: str
    coupon: str
    name: str | None = None
    promotion_code: str | None = None
    percent: Decimal | None = None
    amount_minor: int | None = None
    currency: str | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One subscription; times are aware UTC, the period is that of the item that decides the plan.

    Args:
        quantity: of the item that decides the plan: its seats.
        item: that item's id.
        update_until: until when a change of it waits for its payment.
        collection_paused_at: since when nothing is collected on request; `collection_resumes_at` is None when nobody has said.
    """

    id: str
    status: Status
    created_at: datetime
    price: PriceRef
    period_start: datetime
    period_end: datetime
    trial_end: datetime | None = None
    cancel_at: datetime | None = None
    ended_at: datetime | None = None
    ended_unpaid: bool = False
    pause: Pause | None = None
    paused_at: datetime | None = None
    item: str | None = None
    quantity: int | None = 1
    items: tuple[Item, ...] = ()
    schedule: str | None = None
    scheduled: ScheduledChange | None = None
    update_until: datetime | None = None
    discounts: tuple[Discount, ...] = ()
    latest_invoice: str | None = None
    collection_paused_at: datetime | None = None
    collection_resumes_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """One invoice; `owed_since` is when it fell due or its payment was first tried, None while a draft.

    `amount_minor` is its total, `credited_minor` what credit notes took off it before it was paid.
    `needs_action` when the bank wants the customer to confirm the payment, which can be done at `hosted_url`.
    """

    id: str
    subscription: str | None
    status: str
    reason: str | None
    number: str | None
    amount_minor: int
    currency: str
    created_at: datetime
    owed_since: datetime | None = None
    needs_action: bool = False
    hosted_url: str | None = None
    pdf_url: str | None = None
    payments: tuple[str, ...] = ()
    credited_minor: int = 0

    @property
    def payable_minor(self) -> int:
        """What is or was to be paid for it: the total, less what credit notes took off it before."""
        return self.amount_minor - self.credited_minor

    @property
    def is_unpaid(self) -> bool:
        """Whether money is still to come for it (a draft's too)."""
        return self.status in {"draft", "open", "uncollectible"} and self.payable_minor > 0

    @property
    def is_renewal_given_up(self) -> bool:
        """Whether a period's own invoice was voided, as while collection is paused: the period was never paid."""
        return self.status == "void" and self.reason == "subscription_cycle" and self.amount_minor > 0


@dataclass(frozen=True, kw_only=True)
class Payment:
    """Money that was taken; `id` is its payment intent's, `refunded_minor` what was refunded of it, 0 to `amount_minor`.

    `is_disputed` is what Stripe says of the charge: of a dispute that was won it may say either.
    """

    id: str
    amount_minor: int
    currency: str
    refunded_minor: int
    created_at: datetime | None = None
    charge: str | None = None
    is_disputed: bool = False


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """A pack bought at a checkout; `id` is the checkout's. What it grants was written down when it was offered.

    `is_paid` is False while a bank debit is under way, and for good if it comes back; `payment` is None if it cost nothing.
    """

    id: str
    pack: str
    grants: Mapping[str, int]
    amount_minor: int
    currency: str
    is_paid: bool
    created_at: datetime
    payment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything about one customer that access and events depend on.

    `currency` is the one it can be billed in, None before an invoice;
    `country` is where it is taxed.
    """

    customer: str
    subscriptions: tuple[Subscription, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    card: str | None = None
    is_deleted: bool = False
    purchases: tuple[Purchase, ...] = ()
    payments: tuple[Payment, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    credit_notes: tuple[CreditNote, ...] = ()
    currency: str | None = None
    country: str | None = None

    def subscription(self, id: str | None) -> Subscription | None:  # noqa: A002 the word of the API
        """The subscription of that id, if it is there."""
        return next((one for one in self.subscriptions if one.id == id), None)

    def main(self) -> Subscription | None:
        """The one subscription that decides, the same whatever order Stripe lists them in.

        The status that gives most access wins; among equals the oldest, so that a second one bought by mistake changes nothing;
        among ended ones the last to end. One never paid for (incomplete) decides nothing.
        """
        candidates = [one for one in self.subscriptions if one.status in _RANK]
        return min(candidates, key=_precedence, default=None)

    def payment(self, id: str | None) -> Payment | None:  # noqa: A002 the word of the API
        """The payment of that id, if money was taken."""
        return next((one for one in self.payments if one.id == id), None)

    def returned(self, payment: Payment) -> int:
        """How much of a payment went back, by refunds and by disputes that were lost; never more than was paid."""
        lost = sum(one.amount_minor for one in self.disputes if one.payment == payment.id and one.state is DisputeState.lost)
        return min(payment.refunded_minor + lost, payment.amount_minor)

    def refunded(self, invoice: Invoice) -> int:
        """How much of what an invoice brought went back: to the card, by credit notes as balance, or elsewhere; minor units."""
        notes = (one for one in self.credit_notes if one.invoice == invoice.id and one.is_after_payment)
        credited = sum(one.amount_minor - one.refunded_minor for one in notes)
        return credited + sum(self.returned(one) for one in self.payments if one.id in invoice.payments)

    def owes_for_period(self, subscription: Subscription) -> bool:
        """Whether an invoice of the current period is still to be paid, or was given up instead of paid."""
        return any(
            (one.is_unpaid or one.is_renewal_given_up) and one.created_at >= subscription.period_start for one in self._billed(subscription)
        )

    def _billed(self, subscription: Subscription) -> Iterable[Invoice]:
        """Its invoices, without one that a change waits for: until that is paid, nothing was bought by it."""
        waiting = subscription.latest_invoice if subscription.update_until else None
        return (one for one in self.invoices if one.subscription == subscription.id and one.id != waiting)

    def latest_invoice(self, subscription: Subscription) -> Invoice | None:
        """The invoice Stripe made last for it, if it is there."""
        return next((one for one in self.invoices if one.id == subscription.latest_invoice), None)

    def owing_since(self, subscription: Subscription) -> datetime:
        """Since when money is owed: the oldest unpaid invoice, else the period it should have paid for."""
        owed = (one.owed_since for one in self._billed(subscription) if one.is_unpaid)
        return min((at for at in owed if at is not None), default=subscription.period_start)

    def after_deletion(self, known: Iterable[Subscription], now: datetime) -> Snapshot:
        """The snapshot of a deleted customer: what is still listed and what was known besides, ended. Stripe cancels all at once."""
        listed = {one.id for one in self.subscriptions}
        found = (*self.subscriptions, *(one for one in known if one.id not in listed))
        ended = tuple(one if one.ended_at else replace(one, status=Status.canceled, ended_at=now) for one in found if one.status in _RANK)
        return replace(self, subscriptions=ended)


def _precedence(subscription: Subscription) -> tuple[int, float, str]:
    at = subscription.created_at.timestamp()
    if subscription.status is Status.canceled:
        at = -(subscription.ended_at or subscription.created_at).timestamp()
    return _RANK.index(subscription.status), at, subscription.id


_adapter = TypeAdapter(Snapshot)


def to_json(snapshot: Snapshot) -> dict[str, object]:
    """The snapshot as plain JSON values."""
    dumped: dict[str, object] = _adapter.dump_python(snapshot, mode="json")
    return dumped


def from_json(value: object) -> Snapshot:
    """The snapshot `to_json` wrote."""
    return _adapter.validate_python(value)
