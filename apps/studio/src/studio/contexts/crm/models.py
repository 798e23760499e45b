"""Rows of the people and companies the studio deals with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from studio.contexts.rows import Stamped
from studio.db import StudioBase


class Party(Stamped, StudioBase):
    """A person or a company, once, whatever they are to the studio.

    Attributes:
        email: normalised (trimmed, lower case); what makes two visitors the same client.
    """

    __tablename__ = "party"

    kind: Mapped[str] = mapped_column(String(16))
    display_name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    phone: Mapped[str | None] = mapped_column(String(40))
    notes: Mapped[str] = mapped_column(Text, default="")
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
