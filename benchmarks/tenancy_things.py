"""The one table that every measured request reads, and the query that it makes."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tenants' tables."""


class Thing(Base):
    """One row of one tenant."""

    __tablename__ = "thing_0"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


QUERY = select(Thing).where(Thing.id == 1)
