"""The rows of accounts that are closed, and of those that are erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .row import Row


class ClosingRow(Row):
    """An account that is to be closed at Stripe; `closed_at` is when Stripe confirmed that nothing of it is alive."""

    __tablename__ = "billing_closing"
    __table_args__ = (Index(None, "closed_at", "retry_at"),)

    account: Mapped[str] = mapped_column(String(200), primary_key=True)
    deletes_customer: Mapped[bool] = mapped_column(Boolean)
    asked_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None]


class ErasureRow(Row):
    """An account whose personal data are to be erased; `erased_at` is when they were, here and at Stripe."""

    __tablename__ = "billing_erasure"
    __table_args__ = (Index(None, "erased_at", "retry_at"),)

    account: Mapped[str] = mapped_column(String(200), primary_key=True)
    asked_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None]
