"""Asking for money, and what billing says of it. The request lies with the studio, the payment with billing, joined by the request's id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from roomtone_billing import ClientPayment, ClientPaymentState, Connect
from roomtone_billing.errors import UnknownClientPayment
from studio.db import new_public_id
from studio.errors import NotFound, Refused
from studio.payments.models import PaymentRequest

LISTED_MAX = 100
# Enough for those listed, though clients open old requests again.
_PAYMENTS_MAX = 1000


class State(StrEnum):
    """Where a request stands."""

    asked = "asked"
    processing = "processing"
    paid = "paid"
    partly_refunded = "partly_refunded"
    refunded = "refunded"
    disputed = "disputed"
    withdrawn = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person typed: an amount in minor units, of whom, and what for."""

    key: str
    reference: str
    description: str
    client_name: str
    client_email: str | None
    booking: str | None
    amount_minor: int
    currency: str
    fee_minor: int
    by: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request and, once the client has opened the page, its payment."""

    public_id: str
    reference: str
    description: str
    client_name: str
    client_email: str | None
    booking: str | None
    amount_minor: int
    currency: str
    fee_minor: int
    created_at: datetime
    sent_at: datetime | None
    withdrawn_at: datetime | None
    payment: ClientPayment | None = None

    @property
    def name_at_billing(self) -> str:
        """What billing knows it by."""
        return name_at_billing(self.public_id)

    @property
    def state(self) -> State:
        """Where it stands; a dispute that is lost or open counts before everything."""
        payment = self.payment
        if payment is None or payment.state not in {ClientPaymentState.paid, ClientPaymentState.processing}:
            return State.withdrawn if self.withdrawn_at else State.asked
        if payment.state is ClientPaymentState.processing:
            return State.processing
        if any(not dispute.is_won for dispute in payment.disputes):
            return State.disputed
        if not payment.refunded_minor:
            return State.paid
        return State.refunded if payment.refunded_minor >= payment.amount_minor else State.partly_refunded

    @property
    def left_minor(self) -> int:
        """What could still be given back."""
        return self.payment.amount_minor - self.payment.refunded_minor if self.payment and self.state in _GIVES_BACK else 0


_GIVES_BACK = frozenset({State.paid, State.partly_refunded})


def name_at_billing(public_id: str) -> str:
    """What billing knows a request by."""
    return f"request:{public_id}"


def ask(db: Session, wish: Wish) -> str:
    """Write a request down; returns its public id. The same key again is the same request."""
    values = {name: value for name, value in vars(wish).items() if name not in {"booking", "by"}}
    made = insert(PaymentRequest).values(public_id=new_public_id(), version=1, booking_public_id=wish.booking, created_by=wish.by, **values)
    db.execute(made.on_conflict_do_nothing(index_elements=["key"]))
    return db.scalars(select(PaymentRequest.public_id).where(PaymentRequest.key == wish.key)).one()


def find(db: Session, public_id: str, connect: Connect) -> Request:
    """One request, with its payment.

    Raises:
        NotFound: there is none.
    """
    return _with_payment(_row(db, public_id), connect)


def newest(db: Session, connect: Connect) -> list[Request]:
    """The newest requests with their payments, newest first."""
    payments = {one.reference: one for one in connect.payments(_PAYMENTS_MAX)}
    rows = db.scalars(select(PaymentRequest).order_by(PaymentRequest.id.desc()).limit(LISTED_MAX))
    return [_view(row, payments.get(name_at_billing(row.public_id))) for row in rows]


def mark_sent(db: Session, public_id: str, now: datetime) -> None:
    """Note that the link was sent.

    Raises:
        NotFound: there is no such request.
    """
    _row(db, public_id).sent_at = now


def withdraw(db: Session, public_id: str, connect: Connect, now: datetime) -> None:
    """Ask for it no longer; again is the same.

    Raises:
        NotFound: there is no such request.
        Refused: it is paid, or the client has the page to pay it open.
    """
    row = _row(db, public_id)
    found = _with_payment(row, connect)
    if found.state not in {State.asked, State.withdrawn}:
        raise Refused(_("This is paid already. If it should not be, give the money back."))
    if found.payment is not None and found.payment.state is ClientPaymentState.open:
        raise Refused(_("The client has the page to pay it open, which can stay so for a day. If it is paid, give the money back."))
    row.withdrawn_at = row.withdrawn_at or now


def _row(db: Session, public_id: str) -> PaymentRequest:
    row = db.scalar(select(PaymentRequest).where(PaymentRequest.public_id == public_id))
    if row is None:
        raise NotFound("There is no such request.")
    return row


def _with_payment(row: PaymentRequest, connect: Connect) -> Request:
    try:
        return _view(row, connect.payment(name_at_billing(row.public_id)))
    except UnknownClientPayment:  # the client has not opened the page to pay it yet
        return _view(row, None)


def _view(row: PaymentRequest, payment: ClientPayment | None) -> Request:
    return Request(
        public_id=row.public_id,
        reference=row.reference,
        description=row.description,
        client_name=row.client_name,
        client_email=row.client_email,
        booking=row.booking_public_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        fee_minor=row.fee_minor,
        created_at=row.created_at,
        sent_at=row.sent_at,
        withdrawn_at=row.withdrawn_at,
        payment=payment,
    )
