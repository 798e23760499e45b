"""The app's own rows in the control database. Tenancy, billing, credits and the job queue keep theirs beside them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Identity, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studio.db import ControlBase, new_public_id

Instant = DateTime(timezone=True)


class User(ControlBase):
    """A person who signs in, whatever the studio."""

    __tablename__ = "studio_user"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    public_id: Mapped[str] = mapped_column(Text, unique=True, default=new_public_id)
    email: Mapped[str] = mapped_column(Text, unique=True)  # lower case
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    locale: Mapped[str] = mapped_column(Text, default="en")
    is_staff: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Membership(ControlBase):
    """Who belongs to which studio, and as what."""

    __tablename__ = "studio_membership"
    user_id: Mapped[int] = mapped_column(ForeignKey("studio_user.id", ondelete="CASCADE"), primary_key=True)
    tenant_key: Mapped[str] = mapped_column(Text, primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    joined_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    user: Mapped[User] = relationship()


class SignIn(ControlBase):
    """One sign-in on one host. The cookie holds the token, this row only its hash."""

    __tablename__ = "studio_sign_in"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("studio_user.id", ondelete="CASCADE"), index=True)
    audience: Mapped[str] = mapped_column(Text)  # 'platform', 'backoffice' or 'studio:<tenant key>'
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    user: Mapped[User] = relationship()


class Handover(ControlBase):
    """A one-minute, one-use token that carries a sign-in from the platform's host to a studio's."""

    __tablename__ = "studio_handover"
    token_hash: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("studio_user.id", ondelete="CASCADE"))
    tenant_key: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class SignUp(ControlBase):
    """One sign-up and the studio it asked for; `attempt` makes a form sent twice one sign-up."""

    __tablename__ = "studio_sign_up"
    public_id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_public_id)
    attempt: Mapped[str] = mapped_column(Text, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("studio_user.id", ondelete="CASCADE"))
    tenant_key: Mapped[str] = mapped_column(Text, index=True)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    user: Mapped[User] = relationship()


class OutboundMail(ControlBase):
    """An e-mail, rendered when it was caused and sent later, once per key."""

    __tablename__ = "studio_mail"
    __table_args__ = (Index("studio_mail_unsent", "created_at", postgresql_where=text("sent_at IS NULL")),)
    public_id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_public_id)
    key: Mapped[str] = mapped_column(Text, unique=True)
    recipient: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)


class RateWindow(ControlBase):
    """How often something was tried in one window of time."""

    __tablename__ = "studio_rate_window"
    __table_args__ = (UniqueConstraint("subject", "window_at"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    subject: Mapped[str] = mapped_column(Text)  # hashed: what is limited, never an address in clear
    window_at: Mapped[datetime] = mapped_column(Instant)
    count: Mapped[int] = mapped_column(default=1)


class AuditEvent(ControlBase):
    """What our staff and the system did to studios. Rows are only ever added; a trigger refuses the rest."""

    __tablename__ = "studio_audit"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    actor: Mapped[str] = mapped_column(Text)  # user's public id, or 'system'
    action: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # Any: JSON


class DemoClock(ControlBase):
    """How far the demo's time machine has moved the time of billing and credits, in seconds. One row at the most."""

    __tablename__ = "studio_demo_clock"
    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    offset_s: Mapped[int] = mapped_column(BigInteger, default=0)
