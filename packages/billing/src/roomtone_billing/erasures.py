"""Erasing what is personal of a closed account: written down by the host, then done at Stripe and here, and gone on with until it is done.

What the law wants kept stays: invoices at Stripe, and here that something was bought, paid, given back and when, without a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from . import holdings, outbox
from .desk import Desk
from .errors import GatewayError, NotClosed, UnknownAccount
from .events import AccountErased, NoticeDue
from .inbox import State
from .models import (
    AccountRow,
    ClientPaymentRow,
    ClosingRow,
    DriftRow,
    ErasureRow,
    HistoryRow,
    HoldRow,
    InboxRow,
    MeteredRow,
    OutboxRow,
    OverrideRow,
    PreviewRow,
    Row,
    SellerRow,
    UsedRow,
    UseRow,
)
from .transactions import RetryPolicy, writing

# Stripe may send an event again for thirty days, and with it what was erased.
LATE = timedelta(days=40)
NOTHING = b'{"data": {"object": {}}}'
DELETED: tuple[type[Row], ...] = (OverrideRow, UseRow, UsedRow, HoldRow, MeteredRow, PreviewRow, DriftRow)
# What is personal in a row that stays, and what takes its place.
SCRUBBED: Mapping[type[Row], Mapping[str, Any]] = {
    AccountRow: {"email": "", "name": "", "suspended_reason": None, "error": None},
    HistoryRow: {"reason": None},
    ClientPaymentRow: {"offer": {}, "url": ""},
    SellerRow: {"error": None},
}
# Their own rules: payloads also of events that come late, and pages of what was to be told.
SCRUBBED_BY_HAND: tuple[type[Row], ...] = (InboxRow, OutboxRow)
KEPT: tuple[type[Row], ...] = (ClosingRow, ErasureRow)
# Of an event of a connected account the payload is read once.
_LOOKED_AT = or_(InboxRow.state != State.connected, InboxRow.mark.is_not(None))


def ask(session: Session, account: str, *, now: datetime) -> bool:
    """Write down that the account is to be erased; as `Billing.erase_account` says."""
    if session.get(AccountRow, account) is None:
        raise UnknownAccount(account)
    closing = session.get(ClosingRow, account)
    if closing is None or closing.closed_at is None:
        raise NotClosed(account)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(ErasureRow).values(account=account, asked_at=now, attempts=0)
    return session.execute(statement.on_conflict_do_nothing().returning(ErasureRow.account)).first() is not None


def work(engine: Engine, desk_of: Callable[[str], Desk], *, retry: RetryPolicy, now: datetime, limit: int) -> int:
    """Erase what is due, at most `limit` accounts; returns how many were erased. It never gives up, only slower."""
    due = and_(ErasureRow.erased_at.is_(None), or_(ErasureRow.retry_at.is_(None), ErasureRow.retry_at <= now))
    with Session(engine) as session:
        accounts = session.scalars(select(ErasureRow.account).where(due).order_by(ErasureRow.account).limit(limit)).all()
    return sum(_attempt(engine, desk_of(account), retry=retry, now=now) for account in accounts)


def scrub_late(engine: Engine, *, now: datetime, limit: int) -> int:
    """Empty the events that came after their account was erased, of at most `limit` accounts; returns of how many."""
    recent = select(ErasureRow.account).where(ErasureRow.erased_at > now - LATE, InboxRow.payload != NOTHING, _LOOKED_AT).distinct()
    own = recent.join(InboxRow, InboxRow.account == ErasureRow.account)
    seller = recent.join(SellerRow, SellerRow.account == ErasureRow.account)
    connected = seller.join(InboxRow, InboxRow.stripe_account == SellerRow.stripe_account)
    with Session(engine) as session:
        found = {account for wanted in (own, connected) for account in session.scalars(wanted.limit(limit))}
    for account in sorted(found):
        with writing(engine) as session:
            _scrub_events(session, account)
    return len(found)


def _attempt(engine: Engine, desk: Desk, *, retry: RetryPolicy, now: datetime) -> bool:
    customer = desk.row().customer
    try:
        if customer is not None:
            desk.gateway.delete_customer(customer)
            desk.sync()
    except GatewayError as error:
        with writing(engine) as session:
            row = session.get_one(ErasureRow, desk.account, with_for_update=True)
            row.attempts, row.error = row.attempts + 1, f"{type(error).__name__}: {error}"
            row.retry_at = retry.after(min(row.attempts, retry.attempts_max - 1), now)
        return False
    with writing(engine) as session:
        account = session.get_one(AccountRow, desk.account, with_for_update=True).account
        row = session.get_one(ErasureRow, account)
        if row.erased_at is not None:
            return False
        _erase(session, account)
        row.erased_at, row.retry_at, row.error = now, None, None
        outbox.write(session, [AccountErased(account=account, key=f"erased:{account}", at=now)], now=now)
    desk.rules.written(account)
    return True


def _erase(session: Session, account: str) -> None:
    which = holdings.of(session, account)
    for kind in DELETED:
        session.execute(delete(kind).where(which[kind.__tablename__]))
    for kind, values in SCRUBBED.items():
        session.execute(update(kind).where(which[kind.__tablename__]).values(values))
    _scrub_events(session, account)
    notices = select(OutboxRow).where(OutboxRow.account == account, OutboxRow.type == NoticeDue.__name__)
    for one in session.scalars(notices):
        one.body = one.body | {"url": None}


def _scrub_events(session: Session, account: str) -> None:
    session.execute(update(InboxRow).where(holdings.events_of(session, account), _LOOKED_AT).values(payload=NOTHING))
