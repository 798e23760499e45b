"""What a studio asks its clients for. What became of the money is billing's to say."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, String
from sqlalchemy.orm import Mapped, mapped_column

from studio.contexts.rows import Stamped
from studio.db import StudioBase


class PaymentRequest(Stamped, StudioBase):
    """An amount asked of a client, behind an address that only its link knows.

    Attributes:
        key: the form's own; a form sent twice is one request.
        reference: how the studio names it: a booking's code, an invoice's number.
        fee_minor: what we keep of it, fixed when it is asked for.
        booking_public_id: the booking it is for, if it is for one.
        sent_at: when its link was last sent by e-mail.
    """

    __tablename__ = "payment_request"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="payment_request_amount"),
        CheckConstraint("fee_minor >= 0 AND fee_minor <= amount_minor", name="payment_request_fee"),
    )

    key: Mapped[str] = mapped_column(String(64), unique=True)
    reference: Mapped[str] = mapped_column(String(60))
    description: Mapped[str] = mapped_column(String(200))
    client_name: Mapped[str] = mapped_column(String(200))
    client_email: Mapped[str | None] = mapped_column(String(254))
    booking_public_id: Mapped[str | None] = mapped_column(String(36), index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    fee_minor: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(64))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
