"""The fenced sync of a connected account and its clients' payments: the same ticket before the fetch as for customers (`sync`).

One fence per connected account: a fetch brings the account itself and those payments that something was heard of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from . import client_payments, outbox
from .client_payments import ClientTruth, Sale, Seller
from .connect_state import ConnectState
from .errors import GatewayError
from .events import ConnectChanged
from .gateway import Gateway
from .inbox import State
from .models import ClientPaymentRow, InboxRow, SellerRow
from .sync import LEASE
from .transactions import Clock, RetryPolicy, writing

# Payments brought by one fetch; of more, the others wait for the next.
_PAYMENTS_MAX = 20
# How long after its page was opened a payment is asked about although nothing was heard; then again as long.
NEWS_DELAY = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The right to write what is fetched from now on of one connected account, and the pages to fetch."""

    account: str
    stripe_account: str
    number: int
    mark: int
    checkouts: tuple[str, ...]


def work(engine: Engine, gateway: Gateway, *, retry: RetryPolicy, clock: Clock, limit: int) -> int:
    """Turn stored events of connected accounts into their truth, at most `limit` of each step; returns how many steps were done."""
    done = route(engine, limit=limit)
    for _ in range(limit):
        ticket = draw_next(engine, now=clock())
        if ticket is None:
            break
        done += 1
        try:
            fetch_and_write(engine, gateway, ticket, retry=retry, now=clock())
        except GatewayError:
            continue  # recorded with the account, which waits for its next attempt
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 what one account's truth does to our code must not stop the others
            fail(engine, ticket, error, retry=retry, now=clock())
    return done


def route(engine: Engine, *, limit: int) -> int:
    """Mark the connected accounts and payments that stored events are about, at most `limit` events; returns how many were looked at."""
    waiting = (InboxRow.state == State.connected) & InboxRow.mark.is_(None)
    with Session(engine) as session:
        found = session.execute(select(InboxRow.id, InboxRow.stripe_account).where(waiting).order_by(InboxRow.id).limit(limit)).all()
    if not found:
        return 0
    with writing(engine) as session:
        ids, accounts = {row_id for row_id, _ in found}, {stripe_account for _, stripe_account in found}
        locked = select(SellerRow).where(SellerRow.stripe_account.in_(accounts)).order_by(SellerRow.account).with_for_update()
        sellers = {seller.stripe_account: seller for seller in session.scalars(locked)}
        rows = session.scalars(select(InboxRow).where(InboxRow.id.in_(ids), waiting).with_for_update(skip_locked=True)).all()
        for stripe_account in {row.stripe_account for row in rows} & set(sellers):
            _mark(sellers[stripe_account])
        session.flush()
        for row in rows:
            seller = sellers.get(row.stripe_account)
            if seller is None:
                row.state = State.foreign
                continue
            row.mark = seller.mark
            _mark_payments(session, row.stripe_account, row.payload, seller.mark)
    return len(rows)


def _mark_payments(session: Session, stripe_account: str, payload: bytes, mark: int) -> None:
    """Note which payment an event hints at. What it says of it is not believed, only that there may be news."""
    thing = json.loads(payload)["data"]["object"]
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
        session.execute(
            update(ClientPaymentRow).where(ClientPaymentRow.stripe_account == stripe_account, or_(*hints)).values(is_dirty=True, mark=mark)
        )


def _id(value: object) -> object:
    return value.get("id") if isinstance(value, Mapping) else value


def mark(engine: Engine, account: str, *, checkout: str | None = None) -> None:
    """Note that something of the account, and of the payment behind a page, may have changed."""
    with writing(engine) as session:
        seller = session.get(SellerRow, account, with_for_update=True)
        if seller is None:
            return
        _mark(seller)
        if checkout is not None:
            which = (ClientPaymentRow.account == account) & (ClientPaymentRow.checkout == checkout)
            session.execute(update(ClientPaymentRow).where(which).values(is_dirty=True, mark=seller.mark))


def _mark(seller: SellerRow) -> None:
    seller.mark, seller.is_dirty, seller.attempts, seller.retry_at, seller.error = seller.mark + 1, True, 0, None, None


def mark_overdue(engine: Engine, *, now: datetime, limit: int) -> int:
    """Mark open payments nothing was heard of for long: a lost webhook costs an hour. At most `limit`; returns how many."""
    overdue = select(ClientPaymentRow.account, ClientPaymentRow.checkout).where(ClientPaymentRow.check_at <= now).limit(limit)
    with Session(engine) as session:
        found = session.execute(overdue).all()
    for account, checkout in found:
        mark(engine, account, checkout=checkout)
    return len(found)


def draw(engine: Engine, account: str, *, now: datetime) -> Ticket | None:
    """A ticket for that account, whoever else holds one; None when it has no connected account."""
    return _draw(engine, SellerRow.account == account, now=now)


def draw_next(engine: Engine, *, now: datetime) -> Ticket | None:
    """A ticket for the dirty account that waits longest and that no worker is busy with; None when there is none."""
    waiting = (
        select(SellerRow.account)
        .where(
            SellerRow.is_dirty,
            SellerRow.stripe_account.is_not(None),
            or_(SellerRow.retry_at.is_(None), SellerRow.retry_at <= now),
            or_(SellerRow.leased_until.is_(None), SellerRow.leased_until <= now),
        )
        .order_by(SellerRow.retry_at.asc().nulls_first(), SellerRow.synced_at.asc().nulls_first(), SellerRow.account)
        .limit(1)
    )
    with Session(engine) as session:
        if session.scalar(waiting) is None:
            return None
    return _draw(engine, SellerRow.account == waiting.with_for_update(skip_locked=True).scalar_subquery(), now=now)


def _draw(engine: Engine, which: ColumnElement[bool], *, now: datetime) -> Ticket | None:
    with writing(engine) as session:
        drawn = session.execute(
            update(SellerRow)
            .where(which, SellerRow.stripe_account.is_not(None))
            # Dirty until written: a process that dies while fetching leaves the work to the next.
            .values(ticket=SellerRow.ticket + 1, is_dirty=True, leased_until=now + LEASE)
            .returning(SellerRow.account, SellerRow.stripe_account, SellerRow.ticket, SellerRow.mark)
        ).first()
        if drawn is None or drawn[1] is None:
            return None
        dirty = select(ClientPaymentRow.checkout).where(_to_fetch(drawn[1]))
        checkouts = tuple(session.scalars(dirty.order_by(ClientPaymentRow.mark, ClientPaymentRow.reference).limit(_PAYMENTS_MAX)))
    return Ticket(account=drawn[0], stripe_account=drawn[1], number=drawn[2], mark=drawn[3], checkouts=checkouts)


def fetch_and_write(engine: Engine, gateway: Gateway, ticket: Ticket, *, retry: RetryPolicy, now: datetime) -> bool:
    """Fetch the truth and write it; False when a newer ticket has been drawn meanwhile.

    Raises:
        GatewayError: the fetch failed; the failure is recorded, and the account stays dirty until its attempts are used up.
    """
    try:
        seller = gateway.fetch_seller(ticket.stripe_account)
        # An account that left cannot be asked about its payments; what is known of them stays.
        pages = () if seller.has_left else ticket.checkouts
        truths = {checkout: gateway.fetch_client_payment(ticket.stripe_account, checkout) for checkout in pages}
    except GatewayError as error:
        fail(engine, ticket, error, retry=retry, now=now)
        raise
    return write(engine, ticket, seller, truths, now=now)


def write(engine: Engine, ticket: Ticket, seller: Seller, truths: Mapping[str, ClientTruth], *, now: datetime) -> bool:
    """Write what was fetched under the ticket, and what it announces, in one transaction; False when the ticket is not the newest."""
    with writing(engine) as session:
        row = session.get_one(SellerRow, ticket.account, with_for_update=True)
        if row.ticket != ticket.number or row.stripe_account != ticket.stripe_account:
            return False
        _write_seller(session, row, seller, now=now)
        of_account = ClientPaymentRow.stripe_account == ticket.stripe_account
        for payment in session.scalars(select(ClientPaymentRow).where(of_account, ClientPaymentRow.checkout.in_(truths))):
            _write_payment(session, payment, truths[payment.checkout], covered=ticket.mark, now=now)
        session.flush()
        left = session.scalar(select(func.count()).select_from(ClientPaymentRow).where(_to_fetch(ticket.stripe_account)))
        row.is_dirty = row.mark != ticket.mark or (bool(left) and not seller.has_left)
        row.leased_until, row.retry_at, row.attempts, row.error = None, None, 0, None
        if not left or seller.has_left:
            session.execute(_events_of(ticket, ticket.mark).values(state=State.done, account=ticket.account, error=None))
    return True


def _write_seller(session: Session, row: SellerRow, seller: Seller, *, now: datetime) -> None:
    row.truth, row.synced_at = client_payments.seller_to_json(seller), now
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


def fail(engine: Engine, ticket: Ticket, error: Exception, *, retry: RetryPolicy, now: datetime) -> None:
    """Record that a fetch failed: try again later, or put the account's events aside for a person."""
    reason = f"{type(error).__name__}: {error}"
    with writing(engine) as session:
        row = session.get_one(SellerRow, ticket.account, with_for_update=True)
        if row.ticket != ticket.number:
            return
        row.attempts, row.error, row.leased_until = row.attempts + 1, reason, None
        row.retry_at = retry.after(row.attempts, now)
        row.is_dirty = row.retry_at is not None
        values: dict[str, Any] = {"attempts": row.attempts, "error": reason} | ({} if row.is_dirty else {"state": State.dead})
        session.execute(_events_of(ticket, row.mark).values(values))


def _events_of(ticket: Ticket, mark: int) -> Any:  # Any: an UPDATE to be given its values
    is_covered = (InboxRow.state == State.connected) & (InboxRow.mark <= mark)
    return update(InboxRow).where(InboxRow.stripe_account == ticket.stripe_account, is_covered)


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
