"""Closing an account: written down by the host with its own deletion, then done at Stripe and tried again until Stripe confirms it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Engine, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from . import outbox
from .desk import Desk
from .errors import GatewayError, GatewayRefused
from .events import AccountClosed
from .gateway import Gateway
from .models import AccountRow, ClosingRow
from .transactions import RetryPolicy, writing


def ask(session: Session, account: str, *, deletes_customer: bool, now: datetime) -> bool:
    """Write down that the account is to be closed; as `Billing.close_account` says."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(ClosingRow).values(account=account, deletes_customer=deletes_customer, asked_at=now, attempts=0)
    return session.execute(statement.on_conflict_do_nothing().returning(ClosingRow.account)).first() is not None


def work(engine: Engine, desk_of: Callable[[str], Desk], *, retry: RetryPolicy, now: datetime, limit: int) -> int:
    """Close what is due, at most `limit` accounts; returns how many Stripe has confirmed. It never gives up, only slower."""
    due = (
        select(ClosingRow.account)
        .where(ClosingRow.closed_at.is_(None), or_(ClosingRow.retry_at.is_(None), ClosingRow.retry_at <= now))
        .order_by(ClosingRow.account)
        .limit(limit)
    )
    with Session(engine) as session:
        accounts = session.scalars(due).all()
    return sum(_attempt(engine, desk_of(account), retry=retry, now=now) for account in accounts)


def _attempt(engine: Engine, desk: Desk, *, retry: RetryPolicy, now: datetime) -> bool:
    with Session(engine) as session:
        customer = session.scalar(select(AccountRow.customer).where(AccountRow.account == desk.account))
        deletes = session.get_one(ClosingRow, desk.account).deletes_customer
    try:
        is_over = customer is None or _end(desk.gateway, customer, deletes_customer=deletes)
        if customer is not None and is_over:
            desk.sync()
    except GatewayError as error:
        return _settle(engine, desk.account, f"{type(error).__name__}: {error}", retry=retry, now=now)
    return _settle(engine, desk.account, None if is_over else "Stripe still shows something alive", retry=retry, now=now)


def _end(gateway: Gateway, customer: str, *, deletes_customer: bool) -> bool:
    """End what lives, pages first: one that was paid a moment ago shows as a subscription then. Returns whether nothing is left."""
    for checkout in gateway.open_checkouts(customer):
        with suppress(GatewayRefused):
            gateway.expire_checkout(checkout)
    for subscription in gateway.living_subscriptions(customer):
        with suppress(GatewayRefused):
            gateway.end_subscription(subscription, reason=None, comment=None)
    if gateway.open_checkouts(customer) or gateway.living_subscriptions(customer):
        return False
    if deletes_customer:
        gateway.delete_customer(customer)
    return True


def _settle(engine: Engine, account: str, error: str | None, *, retry: RetryPolicy, now: datetime) -> bool:
    with writing(engine) as session:
        row = session.get_one(ClosingRow, account, with_for_update=True)
        if row.closed_at is not None:
            return False
        if error is None:
            row.closed_at, row.retry_at, row.error = now, None, None
            outbox.write(session, [AccountClosed(account=account, key=f"closed:{account}", at=now)], now=now)
            return True
        row.attempts, row.error = row.attempts + 1, error
        row.retry_at = retry.after(min(row.attempts, retry.attempts_max - 1), now)
    return False
