"""The rows of upkeep: where a long run stands, and what a reconciliation found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .row import Counter, Row


class CursorRow(Row):
    """Where a run that pages through Stripe's lists goes on: one row per kind of run."""

    __tablename__ = "billing_cursor"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    place: Mapped[dict[str, Any]]
    moved_at: Mapped[datetime]


class DriftRow(Row):
    """One account whose stored state was not Stripe's: written in the transaction that repaired it.

    `differences` is a list of [path, ours, theirs]; the stored state was last known to be true at `since`.
    """

    __tablename__ = "billing_drift"
    __table_args__ = (Index(None, "account", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    account: Mapped[str] = mapped_column(String(200))
    customer: Mapped[str] = mapped_column(String(255))
    found_at: Mapped[datetime]
    since: Mapped[datetime | None]
    ticket: Mapped[int] = mapped_column(BigInteger)
    differences: Mapped[dict[str, Any]]
