"""The rows: one per account, the inbox of Stripe's events, the outbox of ours and which handler had which."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime, TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite counts up by itself only in a column of the exact type INTEGER.
Counter = BigInteger().with_variant(Integer(), "sqlite")
Document = JSON().with_variant(JSONB(), "postgresql")


class Instant(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which has no such thing, stores it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: nobody knows what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; pass aware datetimes")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 the base's signature
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(DeclarativeBase):
    """A table of this package."""

    metadata = metadata
    type_annotation_map = {datetime: Instant(), dict[str, Any]: Document, str: Text()}  # noqa: RUF012 read by SQLAlchemy


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


class InboxRow(Row):
    """One event of Stripe, as it came. `state` is one of `inbox.State`; `mark` is the account's mark it caused."""

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
