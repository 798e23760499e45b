"""The catalog's rows. Their tables are made by `schema.upgrade`, never by `create_all`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, DateTime, Dialect, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Text, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database; SQLite has no zone of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- the signature is SQLAlchemy's
        """Refuse naive times."""
        if value is not None and value.tzinfo is None:
            raise ValueError("A naive datetime was given: the catalog stores aware ones.")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- the signature is SQLAlchemy's
        """Give UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CatalogRow(DeclarativeBase):
    """A row of the catalog."""

    metadata = MetaData(naming_convention=NAMING)


class TenantRow(CatalogRow):
    """One tenant, also after its deletion; the key is unique among those not deleted."""

    __tablename__ = "tenancy_tenants"
    __table_args__ = (
        Index(
            "uq_tenancy_tenants_live_key",
            "key",
            unique=True,
            postgresql_where=text("state <> 'deleted'"),
            sqlite_where=text("state <> 'deleted'"),
        ),
        Index("ix_tenancy_tenants_server_state", "server", "state"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(16))
    server: Mapped[str | None] = mapped_column(String(63))
    database: Mapped[str | None] = mapped_column(String(63), unique=True)
    revision: Mapped[str | None] = mapped_column(String(64))
    epoch: Mapped[int] = mapped_column(Integer, default=1)
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata", JSON, default=dict)  # the host's own JSON
    migration_error: Mapped[str | None] = mapped_column(Text)
    is_fenced: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # an operation has its writes refused
    door: Mapped[str | None] = mapped_column(String(16), default="open", server_default="open")  # what its database was told last
    delete_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    domains: Mapped[list[DomainRow]] = relationship(
        order_by="(DomainRow.is_primary.desc(), DomainRow.host)", lazy="selectin", viewonly=True
    )


class DomainRow(CatalogRow):
    """One host that is one tenant's: given by the host application, or proved by the tenant."""

    __tablename__ = "tenancy_domains"

    host: Mapped[str] = mapped_column(String(253), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), index=True)
    is_primary: Mapped[bool] = mapped_column(Boolean, default=False)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DomainClaimRow(CatalogRow):
    """A host that a tenant says is its own and has not proved yet. It answers to nobody, and others may claim it too."""

    __tablename__ = "tenancy_domain_claims"

    host: Mapped[str] = mapped_column(String(253), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), primary_key=True, index=True)
    token: Mapped[str] = mapped_column(String(64))
    is_primary: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CredentialRow(CatalogRow):
    """The sealed password of one database role; of a tenant's two login roles one is current, the other waits for the next rotation."""

    __tablename__ = "tenancy_credentials"

    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(63), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(63))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    is_current: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ServerRow(CatalogRow):
    """One place for tenant databases; `secret` is its sealed administrator's URL, None where the host's code gives it."""

    __tablename__ = "tenancy_servers"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    capacity: Mapped[int] = mapped_column(Integer)
    regions: Mapped[list[str]] = mapped_column(JSON, default=list)
    key_id: Mapped[str | None] = mapped_column(String(63))
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SpareRow(CatalogRow):
    """A database made before its tenant is known. Its id becomes the tenant's: the stamp inside carries it already."""

    __tablename__ = "tenancy_spares"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    server: Mapped[str] = mapped_column(String(63), index=True)
    database: Mapped[str] = mapped_column(String(63), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    revision: Mapped[str | None] = mapped_column(String(64))
    role: Mapped[str | None] = mapped_column(String(63))
    key_id: Mapped[str | None] = mapped_column(String(63))
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProcessRow(CatalogRow):
    """A process that shares the servers' connections, alive as long as its heart beats."""

    __tablename__ = "tenancy_processes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    identity: Mapped[str] = mapped_column(String(300))
    share: Mapped[int] = mapped_column(Integer)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class OperationRow(CatalogRow):
    """Something being done to a tenant outside any transaction: a wish with its steps."""

    __tablename__ = "tenancy_operations"
    __table_args__ = (
        Index(
            "ix_tenancy_operations_unfinished",
            "kind",
            postgresql_where=text("finished_at IS NULL"),
            sqlite_where=text("finished_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    owner: Mapped[str | None] = mapped_column(String(300))
    error: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")  # what a later attempt has to know
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    steps: Mapped[list[StepRow]] = relationship(order_by="StepRow.position", lazy="selectin", cascade="all, delete-orphan")


class StepRow(CatalogRow):
    """One step of an operation."""

    __tablename__ = "tenancy_steps"

    operation_id: Mapped[int] = mapped_column(ForeignKey(OperationRow.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    seconds: Mapped[float | None] = mapped_column(Float)


class LifecycleRow(CatalogRow):
    """One move of a tenant; rows are only ever added."""

    __tablename__ = "tenancy_lifecycle"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    before: Mapped[str | None] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(200))
    proof: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # what was seen, sealed


class CopyRow(CatalogRow):
    """A database beside a tenant's own: being filled to take its place, or replaced and kept until `drop_at`."""

    __tablename__ = "tenancy_copies"

    database: Mapped[str] = mapped_column(String(63), primary_key=True)
    server: Mapped[str] = mapped_column(String(63))
    tenant_id: Mapped[str] = mapped_column(ForeignKey(TenantRow.id, ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    drop_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LeaseRow(CatalogRow):
    """Who works on something; the generation rises with each taker and is never reset, so a late writer is told apart."""

    __tablename__ = "tenancy_leases"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    owner: Mapped[str | None] = mapped_column(String(300))
    generation: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TemplateRow(CatalogRow):
    """A database that tenants are cloned from; `revision` is None while it is being built."""

    __tablename__ = "tenancy_templates"

    database: Mapped[str] = mapped_column(String(63), primary_key=True)
    server: Mapped[str] = mapped_column(String(63), index=True)
    revision: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class InstallationRow(CatalogRow):
    """The one row that tells this catalog's databases from another's on the same server."""

    __tablename__ = "tenancy_installation"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(12))
