"""The rows of previews."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .row import Row


class PreviewRow(Row):
    """One change that was shown and may be confirmed. `claimed_until` is set while somebody confirms it, `outcome` when it is done."""

    __tablename__ = "billing_preview"
    __table_args__ = (Index(None, "account", "claimed_until"),)

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(String(200))
    body: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None]
