"""The rows of Connect: one per account that takes money, one per payment asked of a client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .accounts import AccountRow
from .fenced import FencedRow
from .row import Row


class SellerRow(FencedRow):
    """One account's connected account and the last that Stripe said of it; one fence around it and its clients' payments."""

    __tablename__ = "billing_seller"

    account: Mapped[str] = mapped_column(String(200), ForeignKey(AccountRow.account, ondelete="CASCADE"), primary_key=True)
    token: Mapped[str] = mapped_column(String(32))
    stripe_account: Mapped[str | None] = mapped_column(String(255), unique=True)
    truth: Mapped[dict[str, Any] | None]
    state: Mapped[str] = mapped_column(String(20), default="none")
    changes: Mapped[int] = mapped_column(default=0)


class ClientPaymentRow(Row):
    """One payment asked of a client, under the host's reference; ids at Stripe are the connected account's own.

    `pages` counts the pages there were; `url` is empty while one is being opened, with what `offer` and the amounts say.
    `told` are the keys of the events the host was told; `mark` is the seller's mark that a fetch has to cover while `is_dirty`.
    """

    __tablename__ = "billing_client_payment"
    __table_args__ = (UniqueConstraint("stripe_account", "checkout"), Index(None, "account", "created_at"))

    stripe_account: Mapped[str] = mapped_column(String(255), primary_key=True)
    reference: Mapped[str] = mapped_column(String(200), primary_key=True)
    account: Mapped[str] = mapped_column(String(200), ForeignKey(AccountRow.account, ondelete="CASCADE"))
    pages: Mapped[int]
    checkout: Mapped[str] = mapped_column(String(255))
    url: Mapped[str]
    offer: Mapped[dict[str, Any]]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    fee_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    payment: Mapped[str | None] = mapped_column(String(255))
    truth: Mapped[dict[str, Any]]
    told: Mapped[dict[str, Any]]
    check_at: Mapped[datetime | None] = mapped_column(index=True)
    is_dirty: Mapped[bool] = mapped_column(Boolean, default=False)
    mark: Mapped[int] = mapped_column(BigInteger, default=0)
