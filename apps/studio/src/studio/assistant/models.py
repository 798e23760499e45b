"""Rows of conversations with the assistant. They lie in the studio's own database, like everything it says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, DateTime, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studio.contexts.rows import Stamped
from studio.db import StudioBase


class Conversation(Stamped, StudioBase):
    """One person's thread with the assistant. Nobody else reads it.

    Attributes:
        user_id: public id of the person, who is a row of the control database.
        title: how the first question began.
    """

    __tablename__ = "assistant_conversation"

    user_id: Mapped[str] = mapped_column(String(36), index=True)
    title: Mapped[str] = mapped_column(String(120))


class Turn(Stamped, StudioBase):
    """A question and what came of it.

    Attributes:
        key: the form's own; a form sent twice is one turn. It is also the key of the turn's hold.
        state: see `rules.TurnState`.
        answer: the assistant's words, or why there are none.
        model: what answered, as the rate card knows it.
        hold_id: the credits held for it; settles the turn later if the process died in between.
        usage: billable usage, as `Usage`'s own fields; None until answered.
        charged_micro: micro-credits; None until settled.
    """

    __tablename__ = "assistant_turn"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'answered', 'failed')", name="assistant_turn_state"),
        Index("ix_assistant_turn_unsettled", "id", postgresql_where=text("state = 'answered' AND charged_micro IS NULL")),
    )

    conversation_id: Mapped[int] = mapped_column(ForeignKey("assistant_conversation.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(String(36))
    key: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text, default="")
    model: Mapped[str] = mapped_column(String(120))
    hold_id: Mapped[str | None] = mapped_column(String(64))
    usage: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    charged_micro: Mapped[int | None] = mapped_column(BigInteger)
    asked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    conversation: Mapped[Conversation] = relationship(lazy="raise")
    actions: Mapped[list[Action]] = relationship(back_populates="turn", lazy="raise", order_by="Action.id")


class Action(Stamped, StudioBase):
    """A change that the assistant proposed. Only the person it was proposed to can make it happen, and only once.

    Attributes:
        kind: which change; today always `booking`.
        arguments: what will be done, whole: executing it reads nothing else.
        preview: what the person was shown.
        key: fingerprint of kind, arguments, preview, person and expiry; the card's form carries it back.
        state: see `rules.ActionState`.
        result: what executing it made; None until confirmed.
    """

    __tablename__ = "assistant_action"
    __table_args__ = (CheckConstraint("state IN ('proposed', 'confirmed', 'rejected', 'expired')", name="assistant_action_state"),)

    turn_id: Mapped[int] = mapped_column(ForeignKey("assistant_turn.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(16))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)  # Any: JSON, as in the two below
    preview: Mapped[dict[str, Any]] = mapped_column(JSON)
    key: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    turn: Mapped[Turn] = relationship(back_populates="actions", lazy="raise")
