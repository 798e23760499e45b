"""What every row behind the fence has."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, String
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.schema import SchemaItem

from .row import Row


class FencedRow(Row):
    """A row that holds the last truth fetched of something at Stripe, and the fence around it.

    `mark` counts what was heard of it, and the row is dirty until a fetch has covered all of that. `ticket` is drawn before each fetch:
    only the holder of the newest writes.
    """

    __abstract__ = True

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 a class method by its decorator
        """The index that finds what is to be fetched."""
        return (Index(None, "is_dirty", "retry_at"),)

    account: Mapped[str] = mapped_column(String(200), primary_key=True)
    synced_at: Mapped[datetime | None]
    is_dirty: Mapped[bool] = mapped_column(Boolean, default=False)
    mark: Mapped[int] = mapped_column(BigInteger, default=0)
    ticket: Mapped[int] = mapped_column(BigInteger, default=0)
    leased_until: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
