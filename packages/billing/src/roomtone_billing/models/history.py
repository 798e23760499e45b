"""The rows of what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .row import Counter, Row


class HistoryRow(Row):
    """One change of an account's subscription as billing saw it, or one thing that somebody did; only ever added to."""

    __tablename__ = "billing_history"
    __table_args__ = (Index(None, "account", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    account: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]
    what: Mapped[str] = mapped_column(String(40))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
