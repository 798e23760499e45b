"""The outbox of metered use: what Stripe's meters have still to be told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .accounts import AccountRow
from .row import Counter, Row


class MeteredRow(Row):
    """One use to report, under its business key. `state` is one of `metering.State`; `tried_at` is when it was first sent."""

    __tablename__ = "billing_metered"
    __table_args__ = (Index(None, "account", "meter", "key", unique=True), Index(None, "state", "id"))

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    account: Mapped[str] = mapped_column(String(200), ForeignKey(AccountRow.account, ondelete="CASCADE"))
    meter: Mapped[str] = mapped_column(String(100))
    key: Mapped[str] = mapped_column(String(200))
    units: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[datetime]
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20), default="pending")
    leased_until: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None]
