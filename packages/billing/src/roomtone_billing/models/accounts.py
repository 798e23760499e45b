"""The rows of accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .fenced import FencedRow


class AccountRow(FencedRow):
    """One account: its trial, the last snapshot of its customer, and what the host was told."""

    __tablename__ = "billing_account"

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
    announced: Mapped[dict[str, Any] | None]
    phase: Mapped[str] = mapped_column(String(20), default="none")
    phase_changes: Mapped[int] = mapped_column(default=0)
    check_at: Mapped[datetime | None] = mapped_column(index=True)
    suspended_at: Mapped[datetime | None]
    suspended_cause: Mapped[str | None] = mapped_column(String(20))
    suspended_reason: Mapped[str | None]
