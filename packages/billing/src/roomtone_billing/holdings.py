"""Which rows are an account's: all that is kept of it, table by table."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, false, or_, select
from sqlalchemy.orm import Session

from .models import AccountRow, CursorRow, HandledRow, InboxRow, OutboxRow, SellerRow, metadata

_ACCOUNT = "account"


def of(session: Session, account: str) -> dict[str, ColumnElement[bool]]:
    """For every table of ours, by name, which of its rows are the account's.

    A table with an account column is always among them; one without has to be told of here, or this fails.
    """
    return {table.name: _which(session, table, account) for table in metadata.sorted_tables}


def _which(session: Session, table: Table, account: str) -> ColumnElement[bool]:
    if table.name == InboxRow.__tablename__:
        return events_of(session, account)
    if _ACCOUNT in table.columns:
        return table.c[_ACCOUNT] == account
    if table.name == HandledRow.__tablename__:
        return HandledRow.event.in_(select(OutboxRow.id).where(OutboxRow.account == account))
    if table.name == CursorRow.__tablename__:
        return false()  # of runs through all accounts
    raise LookupError(f"nobody has said which rows of {table.name} are an account's; say it in {__name__}")


def events_of(session: Session, account: str) -> ColumnElement[bool]:
    """Stripe's events about the account: those it was found for, and those that name its customer or its connected account."""
    customer = session.scalar(select(AccountRow.customer).where(AccountRow.account == account))
    stripe_account = session.scalar(select(SellerRow.stripe_account).where(SellerRow.account == account))
    found: list[ColumnElement[bool]] = [InboxRow.account == account]
    found += [InboxRow.customer == customer] if customer else []
    found += [InboxRow.stripe_account == stripe_account] if stripe_account else []
    return or_(*found)
