"""The rows of events: Stripe's in the inbox, ours in the outbox, and which handler had which."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .row import Counter, Row


class InboxRow(Row):
    """One event of Stripe, as it came. `state` is one of `inbox.State`; `mark` is the account's mark it caused.

    `charge` is kept of an event that names one and no customer.
    """

    __tablename__ = "billing_inbox"
    __table_args__ = (
        UniqueConstraint("stripe_account", "livemode", "event_id"),
        Index(None, "state", "id"),
        Index(None, "account", "state"),
        Index(None, "event_id"),
    )

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    stripe_account: Mapped[str] = mapped_column(String(255), default="")
    livemode: Mapped[bool]
    event_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(255))
    customer: Mapped[str | None] = mapped_column(String(255))
    charge: Mapped[str | None] = mapped_column(String(255))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20))
    account: Mapped[str | None] = mapped_column(String(200))
    mark: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None]


class OutboxRow(Row):
    """One domain event, under its business key. `state` is one of `outbox.State`."""

    __tablename__ = "billing_outbox"
    __table_args__ = (Index(None, "state", "account", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    key: Mapped[str] = mapped_column(String(300), unique=True)
    account: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(50))
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None]


class HandledRow(Row):
    """That one handler has had one event; written in the transaction of the handler's effects."""

    __tablename__ = "billing_handled"

    event: Mapped[int] = mapped_column(Counter, ForeignKey(OutboxRow.id, ondelete="CASCADE"), primary_key=True, autoincrement=False)
    handler: Mapped[str] = mapped_column(String(200), primary_key=True)
    handled_at: Mapped[datetime]
