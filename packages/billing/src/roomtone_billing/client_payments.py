"""What is true at Stripe about an account that takes money from its own clients, and which events that makes. Pure.

A *client* pays the account; the account pays us. Nothing here is about the account's own subscription.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter

from .connect_state import ConnectState
from .events import (
    ClientDisputeClosed,
    ClientPaymentDisputed,
    ClientPaymentFailed,
    ClientPaymentRefunded,
    ClientPaymentSucceeded,
    Event,
)


class ClientPaymentState(StrEnum):
    """Where one payment of a client stands."""

    open = "open"  # the page is open
    processing = "processing"  # the client did all; the bank takes days
    paid = "paid"
    failed = "failed"
    expired = "expired"


@dataclass(frozen=True, kw_only=True)
class Seller:
    """What Stripe says of a connected account; `due`, `past_due` and `checking` are Stripe's names of what is missing or being checked."""

    charges_enabled: bool = False
    payouts_enabled: bool = False
    details_submitted: bool = False
    due: tuple[str, ...] = ()
    past_due: tuple[str, ...] = ()
    checking: tuple[str, ...] = ()
    disabled_reason: str | None = None
    deadline: datetime | None = None
    has_left: bool = False

    @property
    def state(self) -> ConnectState:
        """How far it is. An account that cannot charge is never ready, whatever else it has."""
        if self.has_left:
            return ConnectState.deauthorised
        if self.charges_enabled:
            return ConnectState.ready
        return ConnectState.restricted if self.details_submitted else ConnectState.onboarding


@dataclass(frozen=True, kw_only=True)
class Refund:
    """Money given back to the client."""

    id: str
    amount_minor: int
    is_done: bool


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """The client's bank takes the payment back; `is_won` is None while undecided."""

    id: str
    amount_minor: int
    reason: str
    is_won: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ClientTruth:
    """What Stripe says of one payment: its page, the payment behind it, and what became of the money."""

    state: ClientPaymentState
    payment: str | None = None
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    @property
    def refunded_minor(self) -> int:
        """What has gone back."""
        return sum(one.amount_minor for one in self.refunds if one.is_done)

    @property
    def is_settled(self) -> bool:
        """Whether time alone changes nothing about it any more."""
        return self.state not in {ClientPaymentState.open, ClientPaymentState.processing}


@dataclass(frozen=True, kw_only=True)
class Sale:
    """What was asked of the client: fixed when the page was opened."""

    account: str
    stripe_account: str
    reference: str
    checkout: str
    amount_minor: int
    currency: str
    fee_minor: int


def announce(told: Collection[str], sale: Sale, truth: ClientTruth, *, now: datetime) -> tuple[Event, ...]:
    """What to tell the host of a payment, oldest first, that it has not been told; every fact has one key for good."""
    events = [event for event in _all(sale, truth, now) if event.key not in told]
    return tuple(events)


def _all(sale: Sale, truth: ClientTruth, now: datetime) -> list[Event]:
    # An id at Stripe is an account's own: two accounts may have the same.
    account, where, reference, currency = sale.account, sale.stripe_account, sale.reference, sale.currency
    found: list[Event] = []
    if truth.state is ClientPaymentState.failed:
        found.append(ClientPaymentFailed(account=account, key=f"client-failed:{where}:{sale.checkout}", at=now, reference=reference))
    if truth.state is ClientPaymentState.paid:
        found.append(
            ClientPaymentSucceeded(
                account=account,
                key=f"client-paid:{where}:{sale.checkout}",
                at=now,
                reference=reference,
                amount_minor=sale.amount_minor,
                currency=currency,
                fee_minor=sale.fee_minor,
            )
        )
    found += [
        ClientPaymentRefunded(
            account=account,
            key=f"client-refund:{where}:{one.id}",
            at=now,
            reference=reference,
            refund=one.id,
            amount_minor=one.amount_minor,
            currency=currency,
        )
        for one in truth.refunds
        if one.is_done
    ]
    for one in truth.disputes:
        found += _of_dispute(sale, one, now)
    return found


def _of_dispute(sale: Sale, dispute: Dispute, now: datetime) -> list[Event]:
    key = f"client-dispute:{sale.stripe_account}:{dispute.id}"
    found: list[Event] = [
        ClientPaymentDisputed(
            account=sale.account,
            key=key,
            at=now,
            reference=sale.reference,
            dispute=dispute.id,
            amount_minor=dispute.amount_minor,
            currency=sale.currency,
            reason=dispute.reason,
        )
    ]
    if dispute.is_won is not None:
        found.append(
            ClientDisputeClosed(
                account=sale.account, key=f"{key}:closed", at=now, reference=sale.reference, dispute=dispute.id, is_won=dispute.is_won
            )
        )
    return found


_seller, _truth = TypeAdapter(Seller), TypeAdapter(ClientTruth)


def seller_to_json(seller: Seller) -> dict[str, object]:
    """As plain JSON values."""
    dumped: dict[str, object] = _seller.dump_python(seller, mode="json")
    return dumped


def seller_from_json(value: object) -> Seller:
    """What `seller_to_json` wrote; nothing is a seller nothing is known of."""
    return _seller.validate_python(value) if value else Seller()


def truth_to_json(truth: ClientTruth) -> dict[str, object]:
    """As plain JSON values."""
    dumped: dict[str, object] = _truth.dump_python(truth, mode="json")
    return dumped


def truth_from_json(value: object) -> ClientTruth:
    """What `truth_to_json` wrote."""
    return _truth.validate_python(value)
