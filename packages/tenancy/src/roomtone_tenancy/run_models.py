"""The catalog's rows of runs over the fleet: migrations, and which tenants are active."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from .models import CatalogRow, TenantRow, UtcDateTime


class ActivityRow(CatalogRow):
    """When a tenant was last seen at work; coarse, and apart from its row since every change of that is announced."""

    __tablename__ = "tenancy_activity"

    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class RunRow(CatalogRow):
    """One migration of the fleet to one revision; at most one is running."""

    __tablename__ = "tenancy_runs"
    __table_args__ = (
        Index(
            "uq_tenancy_runs_running",
            "state",
            unique=True,
            postgresql_where=text("state = 'running'"),
            sqlite_where=text("state = 'running'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    target: Mapped[str] = mapped_column(String(64))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)  # a Rollout's fields
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RunItemRow(CatalogRow):
    """One tenant of a run. The generation rises with each taker, so a worker that lost its lease is told apart."""

    __tablename__ = "tenancy_run_items"
    __table_args__ = (Index("ix_tenancy_run_items_run_id_state", "run_id", "state"),)

    run_id: Mapped[int] = mapped_column(ForeignKey(RunRow.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), index=True)
    server: Mapped[str] = mapped_column(String(63))
    before: Mapped[str | None] = mapped_column(String(64))
    wave: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    generation: Mapped[int] = mapped_column(Integer, default=0)
    owner: Mapped[str | None] = mapped_column(String(300))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    way: Mapped[str | None] = mapped_column(String(16))
    seconds: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ProofRow(CatalogRow):
    """What a run found out about a revision on a server: the digest of its statements if they may be replayed, else why not."""

    __tablename__ = "tenancy_proofs"

    run_id: Mapped[int] = mapped_column(ForeignKey(RunRow.id, ondelete="CASCADE"), primary_key=True)
    server: Mapped[str] = mapped_column(String(63), primary_key=True)
    revision: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(Text)
