"""The tables, as thin rows. Their own MetaData, so a host's metadata never sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, read back in UTC. SQLite keeps no zone, so UTC is written there without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: it would mean another instant on another machine."""
        if value is None:
            return None
        assert value.tzinfo is not None, value
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # the signature is SQLAlchemy's
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(DeclarativeBase):
    """What the rows share."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {int: BigInteger, datetime: UtcDateTime, dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012  # read by SQLAlchemy


class AccountRow(Row):
    """One account: the row every change of it locks. The sums are kept, and proved by `verify`."""

    __tablename__ = "credits_account"

    # SQLite numbers rows by itself only in an INTEGER primary key.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    account: Mapped[str] = mapped_column(String(200), unique=True)
    seq: Mapped[int]
    lot_count: Mapped[int]
    balance: Mapped[int]
    debt: Mapped[int]
    held: Mapped[int]
    carry_nano: Mapped[int] = mapped_column(Integer, server_default="0")
    matured_at: Mapped[datetime]
    next_change_at: Mapped[datetime | None] = mapped_column(index=True)
    next_grant_at: Mapped[datetime | None]
    limit_count: Mapped[int] = mapped_column(Integer, server_default="0")
    event_count: Mapped[int] = mapped_column(server_default="0")
    alerts: Mapped[list[dict[str, Any]]] = mapped_column(JSON, server_default="[]")
    top_up: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class LotRow(Row):
    """A lot; see `lots.Lot`."""

    __tablename__ = "credits_lot"
    __table_args__ = (Index("ix_credits_lot_open", "account_id", postgresql_where=text("is_open"), sqlite_where=text("is_open")),)

    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(AccountRow.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    granted: Mapped[int]
    remaining: Mapped[int]
    held: Mapped[int]
    granted_at: Mapped[datetime]
    effective_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    priority: Mapped[int] = mapped_column(Integer, server_default="20")
    cost_minor: Mapped[int] = mapped_column(server_default="0")
    currency: Mapped[str | None] = mapped_column(String(3))
    models: Mapped[list[str]] = mapped_column(JSON, server_default="[]")
    features: Mapped[list[str]] = mapped_column(JSON, server_default="[]")
    rule: Mapped[str | None] = mapped_column(String(100))
    period: Mapped[int | None] = mapped_column(Integer)
    is_open: Mapped[bool] = mapped_column(Boolean)


class HoldRow(Row):
    """A hold; see `holds.Hold`."""

    __tablename__ = "credits_hold"
    __table_args__ = (
        UniqueConstraint("account_id", "key"),
        Index("ix_credits_hold_open", "account_id", postgresql_where=text("state = 'open'"), sqlite_where=text("state = 'open'")),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]
    slices: Mapped[dict[str, Any]]
    held_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    rate: Mapped[dict[str, Any]]
    card_version: Mapped[str] = mapped_column(String(100))
    estimate: Mapped[dict[str, Any]]
    model: Mapped[str] = mapped_column(String(200))
    used_by: Mapped[str | None] = mapped_column(String(200))
    feature: Mapped[str | None] = mapped_column(String(200))
    charged: Mapped[int | None]
    is_late: Mapped[bool] = mapped_column(Boolean)
    team: Mapped[str | None] = mapped_column(String(200))
    api_key: Mapped[str | None] = mapped_column(String(200))
    parent_id: Mapped[str | None] = mapped_column(String(32))
    limits: Mapped[list[str]] = mapped_column(JSON, server_default="[]")


class AllowanceRow(Row):
    """A monthly allowance; see `periods.Allowance`. Ended ones stay, so that none is granted twice."""

    __tablename__ = "credits_allowance"

    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(AccountRow.id), primary_key=True)
    rule: Mapped[str] = mapped_column(String(100), primary_key=True)
    anchor_at: Mapped[datetime] = mapped_column(primary_key=True)
    timezone: Mapped[str] = mapped_column(String(64), primary_key=True)
    ends_at: Mapped[datetime | None]
    amount: Mapped[int]
    next_period: Mapped[int] = mapped_column(Integer)
    granted: Mapped[int]
    is_active: Mapped[bool] = mapped_column(Boolean)
    rollover_max: Mapped[int] = mapped_column(server_default="0")
    rollover_percent: Mapped[int] = mapped_column(Integer, server_default="100")
    rollover_months: Mapped[int] = mapped_column(Integer, server_default="1")


class LimitRow(Row):
    """A limit; see `limits.Limit`. Removed ones stay, inactive."""

    __tablename__ = "credits_limit"

    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(AccountRow.id), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    scope: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]
    span: Mapped[str] = mapped_column(String(10))
    length_s: Mapped[int]
    timezone: Mapped[str] = mapped_column(String(64))
    is_hard: Mapped[bool] = mapped_column(Boolean)
    is_active: Mapped[bool] = mapped_column(Boolean)


class TallyRow(Row):
    """What is counted under limits of one name for one subject; see `limits.Tally`."""

    __tablename__ = "credits_tally"

    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(AccountRow.id), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    held: Mapped[int]
    spent: Mapped[dict[str, Any]]
    before: Mapped[int]


class EventRow(Row):
    """Something the host is to be told, written with what caused it."""

    __tablename__ = "credits_event"
    __table_args__ = (
        Index("ix_credits_event_untold", "at", postgresql_where=text("told_at IS NULL"), sqlite_where=text("told_at IS NULL")),
    )

    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(AccountRow.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]
    told_at: Mapped[datetime | None]


class EntryRow(Row):
    """A line of history. A trigger refuses to change or delete it."""

    __tablename__ = "credits_entry"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(400))
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    amount: Mapped[int]
    balance_after: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(500))
    actor: Mapped[str | None] = mapped_column(String(200))
    hold_id: Mapped[str | None] = mapped_column(String(32))
    model: Mapped[str | None] = mapped_column(String(200))
    feature: Mapped[str | None] = mapped_column(String(200))
    used_by: Mapped[str | None] = mapped_column(String(200))
    card_version: Mapped[str | None] = mapped_column(String(100))
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    priced_nano: Mapped[int | None]
    team: Mapped[str | None] = mapped_column(String(200))
    api_key: Mapped[str | None] = mapped_column(String(200))
    limits: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class PostingRow(Row):
    """One side of an entry. A trigger refuses to change or delete it."""

    __tablename__ = "credits_posting"

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    side: Mapped[int] = mapped_column(Integer, primary_key=True)
    book: Mapped[str] = mapped_column(String(20))
    lot: Mapped[int | None]
    amount: Mapped[int]


def table(row: type[Row]) -> Table:
    """Return the table of a row class: the ledger writes many rows a statement, past the ORM's unit of work."""
    found = row.__table__
    assert isinstance(found, Table)
    return found


ACCOUNT, LOT, HOLD = table(AccountRow), table(LotRow), table(HoldRow)
ALLOWANCE, ENTRY, POSTING = table(AllowanceRow), table(EntryRow), table(PostingRow)
LIMIT, TALLY, EVENT = table(LimitRow), table(TallyRow), table(EventRow)
# What may change of a row that was written before.
LOT_CHANGES = ("remaining", "held", "expires_at", "is_open")
HOLD_CHANGES = ("state", "amount", "slices", "held_at", "expires_at", "rate", "card_version", "charged", "is_late", "limits")
ALLOWANCE_CHANGES = (
    *("ends_at", "amount", "next_period", "granted", "is_active"),
    *("rollover_max", "rollover_percent", "rollover_months"),
)
LIMIT_CHANGES = ("scope", "amount", "span", "length_s", "timezone", "is_hard", "is_active")
TALLY_CHANGES = ("held", "spent", "before")
