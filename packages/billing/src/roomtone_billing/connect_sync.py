"""The truth about a connected account and its clients' payments, fetched behind the fence.

One ticket per connected account: a fetch brings the account itself and those payments that something was heard of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select, update
from sqlalchemy.orm import Session

from . import client_payments, outbox
from .client_payments import ClientTruth, Sale, Seller
from .connect_state import ConnectState
from .events import ConnectChanged
from .fence import Fence, Ticket
from .gateway import Gateway
from .inbox import State
from .models import ClientPaymentRow, InboxRow, SellerRow
from .transactions import Clock, RetryPolicy, writing

# Payments brought by one fetch; of more, the others wait for the next.
PAYMENTS_MAX = 20
# How long after its page was opened a payment is asked about although nothing was heard; then again as long.
NEWS_DELAY = timedelta(hours=1)


SELLERS = Fence(
    row=SellerRow,
    stripe_id=SellerRow.stripe_account,
    named=InboxRow.stripe_account,
    new=State.connected,
    waiting=State.connected,
    unknown=State.foreign,
)


def work(engine: Engine, gateway: Gateway, *, retry: RetryPolicy, clock: Clock, limit: int) -> int:
    """Turn stored events of connected accounts into their truth, at most `limit` of each step; returns how many steps were done."""

    def fetch(ticket: Ticket) -> bool:
        return fetch_and_write(engine, gateway, ticket, retry=retry, now=clock())

    return SELLERS.route(engine, limit=limit, heard=_mark_payments) + SELLERS.work(engine, fetch, retry=retry, clock=clock, limit=limit)


def _mark_payments(session: Session, event: InboxRow) -> None:
    """Note which payment an event hints at. What it says of it is not believed, only that there may be news."""
    thing = json.loads(event.payload)["data"]["object"]
    known = {"checkout.session": ClientPaymentRow.checkout, "payment_intent": ClientPaymentRow.payment}
    hints: list[ColumnElement[bool]] = []
    for kind, column in known.items():
        found = thing.get("id") if thing.get("object") == kind else _id(thing.get(kind))
        if isinstance(found, str):
            hints.append(column == found)
    metadata = thing.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("reference"), str):
        hints.append(ClientPaymentRow.reference == metadata["reference"])
    if hints:
        of_account = ClientPaymentRow.stripe_account == event.stripe_account
        session.execute(update(ClientPaymentRow).where(of_account, or_(*hints)).values(is_dirty=True, mark=event.mark))


def _id(value: object) -> object:
    return value.get("id") if isinstance(value, Mapping) else value


def mark(engine: Engine, account: str, *, checkouts: Sequence[str] = ()) -> None:
    """Note that something of the account, and of the payments behind some pages, may have changed."""
    with writing(engine) as session:
        number = SELLERS.mark(session, account)
        if number is not None and checkouts:
            which = (ClientPaymentRow.account == account) & ClientPaymentRow.checkout.in_(checkouts)
            session.execute(update(ClientPaymentRow).where(which).values(is_dirty=True, mark=number))


def mark_overdue(engine: Engine, *, now: datetime, limit: int) -> int:
    """Mark open payments nothing was heard of for long: a lost webhook costs an hour. At most `limit`; returns how many."""
    overdue = select(ClientPaymentRow.account, ClientPaymentRow.checkout).where(ClientPaymentRow.check_at <= now).limit(limit)
    with Session(engine) as session:
        found = session.execute(overdue).all()
    for account, checkout in found:
        mark(engine, account, checkouts=[checkout])
    return len(found)


Witness = Callable[[Session, SellerRow, Seller, Mapping[str, tuple[ClientPaymentRow, ClientTruth]]], object]


def fetch_and_write(
    engine: Engine, gateway: Gateway, ticket: Ticket, *, retry: RetryPolicy, now: datetime, witness: Witness | None = None
) -> bool:
    """Fetch the truth and write it; False when a newer ticket has been drawn meanwhile.

    Raises:
        GatewayError: the fetch failed; the failure is recorded, and the account stays dirty until its attempts are used up.
    """
    dirty = select(ClientPaymentRow.checkout).where(_to_fetch(ticket.stripe_id))
    with Session(engine) as session:
        checkouts = session.scalars(dirty.order_by(ClientPaymentRow.mark, ClientPaymentRow.reference).limit(PAYMENTS_MAX)).all()
    with SELLERS.asking(engine, ticket, retry=retry, now=now):
        seller = gateway.fetch_seller(ticket.stripe_id)
        # An account that left cannot be asked about its payments; what is known of them stays.
        pages = () if seller.has_left else checkouts
        truths = {checkout: gateway.fetch_client_payment(ticket.stripe_id, checkout) for checkout in pages}
    return write(engine, ticket, seller, truths, now=now, witness=witness)


def write(
    engine: Engine, ticket: Ticket, seller: Seller, truths: Mapping[str, ClientTruth], *, now: datetime, witness: Witness | None = None
) -> bool:
    """Write what was fetched under the ticket, and what it announces, in one transaction; False when the ticket is not the newest.

    Args:
        witness: sees the rows as they were and the truths that take their place, payments by reference, in that transaction.
    """

    def put(session: Session, row: SellerRow) -> bool:
        of_account = ClientPaymentRow.stripe_account == ticket.stripe_id
        payments = session.scalars(select(ClientPaymentRow).where(of_account, ClientPaymentRow.checkout.in_(truths))).all()
        if witness is not None:
            witness(session, row, seller, {one.reference: (one, truths[one.checkout]) for one in payments})
        _write_seller(session, row, seller, now=now)
        for payment in payments:
            _write_payment(session, payment, truths[payment.checkout], covered=ticket.mark, now=now)
        session.flush()
        left = session.scalar(select(func.count()).select_from(ClientPaymentRow).where(_to_fetch(ticket.stripe_id)))
        return seller.has_left or not left

    return SELLERS.write(engine, ticket, put, now=now)


def _write_seller(session: Session, row: SellerRow, seller: Seller, *, now: datetime) -> None:
    row.truth = client_payments.seller_to_json(seller)
    before = ConnectState(row.state)
    if before is not seller.state:
        row.state, row.changes = seller.state, row.changes + 1
        key = f"connect:{row.account}:{row.changes}"
        outbox.write(session, [ConnectChanged(account=row.account, key=key, at=now, before=before, after=seller.state)], now=now)


def _write_payment(session: Session, row: ClientPaymentRow, truth: ClientTruth, *, covered: int, now: datetime) -> None:
    told: list[str] = row.told["keys"]
    events = client_payments.announce(told, sale_of(row), truth, now=now)
    outbox.write(session, events, now=now)
    row.truth, row.payment = client_payments.truth_to_json(truth), truth.payment or row.payment
    row.told = {"keys": [*told, *(event.key for event in events)]}
    row.check_at = None if truth.is_settled else now + NEWS_DELAY
    row.is_dirty = row.mark > covered


def _to_fetch(stripe_account: str) -> ColumnElement[bool]:
    """Payments something was heard of; one whose page is being opened has nothing to ask for yet."""
    return and_(ClientPaymentRow.stripe_account == stripe_account, ClientPaymentRow.is_dirty, ClientPaymentRow.url != "")


def sale_of(row: ClientPaymentRow) -> Sale:
    """What was asked of the client."""
    return Sale(
        account=row.account,
        stripe_account=row.stripe_account,
        reference=row.reference,
        checkout=row.checkout,
        amount_minor=row.amount_minor,
        currency=row.currency,
        fee_minor=row.fee_minor,
    )
