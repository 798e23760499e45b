"""The rows of accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .row import Row


class AccountRow(Row):
    """One account: its trial, the last snapshot of its customer, what the host was told, and the fence around both.

    `mark` counts what arrived, `seen` is the mark the last written snapshot covers: the account is dirty while they differ.
    `ticket` is drawn before each fetch; a snapshot is written only by the holder of the newest.
    """

    __tablename__ = "billing_account"
    __table_args__ = (Index(None, "is_dirty", "retry_at"),)

    account: Mapped[str] = mapped_column(String(200), primary_key=True)
    token: Mapped[str] = mapped_column(String(32))
    email: Mapped[str]
    name: Mapped[str]
    created_at: Mapped[datetime]
    trial_plan: Mapped[str | None]
    trial_interval: Mapped[str | None] = mapped_column(String(10))
    trial_started_at: Mapped[datetime | None]
    trial_until: Mapped[datetime | None]
    customer: Mapped[str | None] = mapped_column(String(255), unique=True)
    checkout: Mapped[str | None] = mapped_column(String(255))
    snapshot: Mapped[dict[str, Any] | None]
    synced_at: Mapped[datetime | None]
    announced: Mapped[dict[str, Any] | None]
    phase: Mapped[str] = mapped_column(String(20), default="none")
    phase_changes: Mapped[int] = mapped_column(default=0)
    check_at: Mapped[datetime | None] = mapped_column(index=True)
    is_dirty: Mapped[bool] = mapped_column(Boolean, default=False)
    mark: Mapped[int] = mapped_column(BigInteger, default=0)
    ticket: Mapped[int] = mapped_column(BigInteger, default=0)
    leased_until: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    suspended_at: Mapped[datetime | None]
    suspended_cause: Mapped[str | None] = mapped_column(String(20))
    suspended_reason: Mapped[str | None]
