"""The rows of entitlements: exceptions, what was used in a period, which uses were counted, and what is held."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .accounts import AccountRow
from .row import Counter, Row


class OverrideRow(Row):
    """One exception for one account and feature; never deleted, so the table tells who decided what and why."""

    __tablename__ = "billing_override"
    __table_args__ = (UniqueConstraint("account", "key"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    account: Mapped[str] = mapped_column(String(200), ForeignKey(AccountRow.account, ondelete="CASCADE"))
    feature: Mapped[str] = mapped_column(String(100))
    source: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(200))
    granted: Mapped[int | None] = mapped_column(BigInteger)
    units: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str]
    actor: Mapped[str]
    created_at: Mapped[datetime]
    until: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]


class UsedRow(Row):
    """How much of a feature was used in the period that began then."""

    __tablename__ = "billing_used"

    account: Mapped[str] = mapped_column(String(200), ForeignKey(AccountRow.account, ondelete="CASCADE"), primary_key=True)
    feature: Mapped[str] = mapped_column(String(100), primary_key=True)
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    units: Mapped[int] = mapped_column(BigInteger)


class UseRow(Row):
    """One use that was counted, under the host's key: what has a row here is not counted again."""

    __tablename__ = "billing_use"

    account: Mapped[str] = mapped_column(String(200), ForeignKey(AccountRow.account, ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    feature: Mapped[str] = mapped_column(String(100))
    units: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[datetime] = mapped_column(index=True)


class HoldRow(Row):
    """Units in use by something that runs, until it gives them back or the time is over."""

    __tablename__ = "billing_hold"

    account: Mapped[str] = mapped_column(String(200), ForeignKey(AccountRow.account, ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    feature: Mapped[str] = mapped_column(String(100))
    units: Mapped[int] = mapped_column(BigInteger)
    taken_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
