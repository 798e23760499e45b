"""The one row that says who the studio is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, String, func
from sqlalchemy.orm import Mapped, mapped_column

from studio.db import StudioBase

SINGLETON_ID = 1


class StudioSettings(StudioBase):
    """The studio itself; the table holds exactly one row.

    Attributes:
        timezone: an IANA name; every time is shown in it.
        currency: ISO 4217; prices are in its minor unit.
        accent: `#rrggbb`.
        onboarding: `{"rooms": true, ...}`, the steps that were saved.
    """

    __tablename__ = "studio_settings"
    __table_args__ = (CheckConstraint("id = 1", name="studio_settings_is_one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=SINGLETON_ID)
    name: Mapped[str] = mapped_column(String(120))
    timezone: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(3))
    locale: Mapped[str] = mapped_column(String(8))
    accent: Mapped[str] = mapped_column(String(7))
    onboarding: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # JSON's own value type
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # SQLAlchemy's own declaration
