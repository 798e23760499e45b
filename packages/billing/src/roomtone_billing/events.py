"""What happened to an account, as values the host's handlers receive. Each has a business key: the same fact has the same key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from .access import Cause, Phase
from .connect_state import ConnectState
from .dispute import DisputeState
from .plans import Interval


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to an account; `at` is when billing learnt of it."""

    account: str
    key: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class TrialStarted(Event):
    """A trial began, ours or one of Stripe's; nothing was paid."""

    plan_key: str
    interval: Interval
    until: datetime


@dataclass(frozen=True, kw_only=True)
class SubscriptionStarted(Event):
    """A subscription was paid for (or is free) for the first time. Once per subscription."""

    plan_key: str
    interval: Interval
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class PeriodRenewed(Event):
    """A later period began and is paid. Once per subscription and period; periods nobody saw are not made up."""

    plan_key: str
    interval: Interval
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class PlanChanged(Event):
    """The account is on another plan or interval than last announced, and owes nothing for it."""

    before: str
    after: str
    interval: Interval
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, kw_only=True)
class PhaseChanged(Event):
    """What the account may do changed; `cause` is why it is less than full access, `until` is when time alone changes it again."""

    before: Phase
    after: Phase
    cause: Cause | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SubscriptionEnded(Event):
    """The subscription last announced is over. Once per subscription."""

    plan_key: str


@dataclass(frozen=True, kw_only=True)
class PackBought(Event):
    """A pack was paid for (or cost nothing). Once per purchase, however many ways billing learns of it.

    `grants` and the amount are what was sold, whatever the catalogue says now; `purchase` is the checkout's id at Stripe.
    """

    purchase: str
    pack_key: str
    grants: Mapping[str, int]
    amount_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class PackRefunded(Event):
    """Money paid for a pack went back, by a refund or a lost dispute. Once per amount that is back; take away what is unused of `grants`.

    `amount_minor` is what went back since the last such event and `grants` its share; all shares of a pack refunded in full add up to
    what it granted. `bought_key` is the key of its `PackBought`.
    """

    purchase: str
    bought_key: str
    pack_key: str
    grants: Mapping[str, int]
    amount_minor: int
    currency: str
    is_full: bool


@dataclass(frozen=True, kw_only=True)
class InvoicePaid(Event):
    """An invoice of more than nothing was paid. Once per invoice; what it grants follows from the subscription's own events."""

    invoice: str
    number: str | None
    subscription: str | None
    amount_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class InvoiceRefunded(Event):
    """Money paid for an invoice went back, by a refund, a credit note or a lost dispute.

    Once per amount that is back; take away that share of what the period granted.

    `amount_minor` is what went back since the last such event, `refunded_minor` all that did, of `invoice_minor`. `paid_key` is the key
    of its `InvoicePaid`.
    """

    invoice: str
    paid_key: str
    number: str | None
    subscription: str | None
    amount_minor: int
    refunded_minor: int
    invoice_minor: int
    currency: str
    is_full: bool


@dataclass(frozen=True, kw_only=True)
class NoticeDue(Event):
    """The account should be told where it stands, now. Once for each day of the policy in each phase.

    `day` counts from the phase's start; of a trial it is the days left. At `url` what is owed can be paid or confirmed.
    """

    phase: Phase
    cause: Cause | None
    day: int
    until: datetime | None
    url: str | None


@dataclass(frozen=True, kw_only=True)
class ConnectChanged(Event):
    """What the account may do with its clients' cards changed: it can charge, cannot any more, or left."""

    before: ConnectState
    after: ConnectState


@dataclass(frozen=True, kw_only=True)
class ClientPaymentSucceeded(Event):
    """A client paid the account what was asked for under `reference`; our fee is taken. Once per payment."""

    reference: str
    amount_minor: int
    currency: str
    fee_minor: int


@dataclass(frozen=True, kw_only=True)
class ClientPaymentFailed(Event):
    """The client did all that was asked, and days later the bank said no. A page for the same reference may be opened again."""

    reference: str


@dataclass(frozen=True, kw_only=True)
class ClientPaymentRefunded(Event):
    """`amount_minor` went back to the client, with its share of our fee to the account. Once per refund."""

    reference: str
    refund: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class ClientPaymentDisputed(Event):
    """The client's bank takes `amount_minor` back from the account until it is decided. Once per dispute."""

    reference: str
    dispute: str
    amount_minor: int
    currency: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ClientDisputeClosed(Event):
    """The bank decided: the account keeps the money, or it is gone. Once per dispute."""

    reference: str
    dispute: str
    is_won: bool


@dataclass(frozen=True, kw_only=True)
class AccountClosed(Event):
    """The account was closed: Stripe confirmed that no subscription and no open page of it is left. Once per account."""


@dataclass(frozen=True, kw_only=True)
class AccountErased(Event):
    """What was personal of the account is gone, here and at Stripe. Once per account; `account` is all that is left to know it by."""


@dataclass(frozen=True, kw_only=True)
class DisputeOpened(Event):
    """A cardholder asks a payment back through the bank: answer until `evidence_due_at` at Stripe. Once per dispute.

    Once more where an inquiry, which moves no money yet, becomes a dispute.
    """

    dispute: str
    payment: str
    amount_minor: int
    currency: str
    reason: str
    is_inquiry: bool
    evidence_due_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DisputeClosed(Event):
    """The dispute is over: won, lost, or dropped. Once per dispute. What a lost one takes back is told of as a refund is."""

    dispute: str
    payment: str
    amount_minor: int
    currency: str
    state: DisputeState


_ADAPTERS: dict[str, TypeAdapter[Any]] = {  # Any: one adapter per event type
    kind.__name__: TypeAdapter(kind) for kind in Event.__subclasses__()
}


def to_json(event: Event) -> dict[str, object]:
    """The event as plain JSON values."""
    dumped: dict[str, object] = _ADAPTERS[type(event).__name__].dump_python(event, mode="json")
    return dumped


def from_json(kind: str, value: object) -> Event:
    """The event of that type `to_json` wrote."""
    event: Event = _ADAPTERS[kind].validate_python(value)
    return event
