"""What the catalog knows of tenants: cached reads, and writes inside the host's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Engine, Select, event, func, select
from sqlalchemy.orm import Session, SessionTransaction

from . import key as keys
from .cache import LookupCache
from .errors import DomainTaken, NoServer, TenantExists, UnknownHost, UnknownTenant
from .insertion import insert_if_absent
from .lifecycle import TenantState, check_move
from .models import DomainRow, InstallationRow, LifecycleRow, TenantRow
from .resolve import normalise_host
from .server import Server
from .tenant import LifecycleEntry, Tenant

_DIRTY = "roomtone_tenancy_changed"


@dataclass(frozen=True, kw_only=True, eq=False)
class Registry:
    """The tenants of one catalog. Changes made through it are seen at once in this process, after `ttl_s` in others."""

    catalog: Engine
    servers: Sequence[Server]
    clock: Callable[[], datetime]
    ttl_s: float
    entries_max: int
    _by_key: LookupCache[str, Tenant] = field(init=False, repr=False)
    _by_host: LookupCache[str, Tenant] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("_by_key", "_by_host"):
            object.__setattr__(self, name, LookupCache[str, Tenant](ttl_s=self.ttl_s, entries_max=self.entries_max, is_kept=_is_settled))

    # ── Reads ────────────────────────────────────────────────────────────

    def find(self, key: str) -> Tenant | None:
        """The tenant of this key as it was at most `ttl_s` ago; None when there is none."""
        return self._by_key.get(key, lambda: self._load(TenantRow.key == key))

    def get(self, key: str) -> Tenant:
        """The tenant of this key.

        Raises:
            UnknownTenant: there is none.
        """
        tenant = self.find(key)
        if tenant is None:
            raise UnknownTenant(key)
        return tenant

    def resolve(self, host: str) -> Tenant:
        """The tenant that answers to an already normalised host.

        Raises:
            UnknownHost: there is none.
        """
        owned = TenantRow.id == select(DomainRow.tenant_id).where(DomainRow.host == host).scalar_subquery()
        tenant = self._by_host.get(host, lambda: self._load(owned))
        if tenant is None:
            raise UnknownHost(host)
        return tenant

    def all(self, state: TenantState | None = None) -> list[Tenant]:
        """Tenants by key, all but the deleted ones when `state` is None; read from the catalog, not from the cache."""
        wanted = TenantRow.state != TenantState.DELETED if state is None else TenantRow.state == state
        with Session(self.catalog) as session:
            return [value_of(row) for row in session.scalars(select(TenantRow).where(wanted).order_by(TenantRow.key))]

    def history(self, tenant_id: str) -> list[LifecycleEntry]:
        """The tenant's moves, oldest first."""
        with Session(self.catalog) as session:
            rows = session.scalars(select(LifecycleRow).where(LifecycleRow.tenant_id == tenant_id).order_by(LifecycleRow.id))
            return [
                LifecycleEntry(
                    at=row.at,
                    before=TenantState(row.before) if row.before else None,
                    after=TenantState(row.after),
                    reason=row.reason,
                    actor=row.actor,
                )
                for row in rows
            ]

    def forget(self) -> None:
        """Read everything from the catalog again."""
        self._by_key.clear()
        self._by_host.clear()

    def installation(self) -> str:
        """The name that this catalog's databases carry."""
        with Session(self.catalog) as session:
            return session.scalars(select(InstallationRow.name)).one()

    def _load(self, condition: Any) -> Tenant | None:  # SQLAlchemy's expression type says less than this name
        with Session(self.catalog) as session:
            row = session.scalar(select(TenantRow).where(condition, TenantRow.state != TenantState.DELETED))
            return None if row is None else value_of(row)

    # ── Writes: they flush; the host commits ─────────────────────────────

    def register(self, session: Session, key: str, *, domains: Sequence[str], metadata: Mapping[str, Any] | None) -> TenantRow:
        """Add the tenant, placed and named but without a database yet."""
        keys.check(key)
        hosts = list(dict.fromkeys(normalise_host(host) for host in domains))
        if session.scalar(_live(key)) is not None:
            raise TenantExists(key)
        now, tenant_id = self.clock(), uuid.uuid4().hex
        values = {
            "id": tenant_id,
            "key": key,
            "state": TenantState.REQUESTED,
            "server": self._place(session).name,
            "database": keys.opaque_name(session.scalars(select(InstallationRow.name)).one()),
            "epoch": 1,
            "metadata": dict(metadata or {}),
            "created_at": now,
            "updated_at": now,
        }
        if not insert_if_absent(session.connection(), TenantRow, **values):
            raise TenantExists(key)
        row = session.get_one(TenantRow, tenant_id)
        for position, host in enumerate(hosts):
            self._add_host(session, row, host, is_primary=position == 0)
        self._log(session, row, before=None, reason="registered", actor="system")
        session.refresh(row)
        self.forget_after(session)
        return row

    def move(self, session: Session, key: str, after: TenantState, *, reason: str, actor: str) -> Tenant:
        """Change the state, log it, raise the epoch; nothing happens when it is that state already.

        Raises:
            UnknownTenant: there is none.
            IllegalMove: the lifecycle has no such move.
        """
        row = self.locked(session, key)
        before = TenantState(row.state)
        if before is not after:
            check_move(key, before, after)
            row.state, row.updated_at = after, self.clock()
            row.epoch += 1
            self._log(session, row, before=before, reason=reason, actor=actor)
            session.flush()
        self.forget_after(session)
        return value_of(row)

    def add_domain(self, session: Session, key: str, host: str, *, primary: bool) -> Tenant:
        """Let the tenant answer to one more host; the first one is the primary in any case."""
        host = normalise_host(host)
        row = self.locked(session, key)
        owned = {domain.host: domain for domain in session.scalars(select(DomainRow).where(DomainRow.tenant_id == row.id))}
        if primary:
            for domain in owned.values():
                domain.is_primary = domain.host == host
        if host not in owned:
            self._add_host(session, row, host, is_primary=primary or not owned)
        return self._changed(session, row)

    def update_metadata(self, session: Session, key: str, values: Mapping[str, Any]) -> Tenant:
        """Set these values and keep the others."""
        row = self.locked(session, key)
        row.attributes = {**row.attributes, **values}
        return self._changed(session, row)

    def locked(self, session: Session, key: str) -> TenantRow:
        """The row of a live tenant as it is now, locked until the transaction ends.

        Raises:
            UnknownTenant: there is none.
        """
        row = session.scalar(_live(key).with_for_update().execution_options(populate_existing=True))
        if row is None:
            raise UnknownTenant(key)
        return row

    def forget_after(self, session: Session) -> None:
        """Drop what is cached when the session's transaction ends: before that, others still read the old rows."""

        dirty: set[Registry] | None = session.info.get(_DIRTY)
        if dirty is None:
            dirty = session.info[_DIRTY] = set()
            event.listen(session, "after_transaction_end", _forget_dirty)
        dirty.add(self)

    def _changed(self, session: Session, row: TenantRow) -> Tenant:
        row.updated_at = self.clock()
        session.flush()
        session.refresh(row)
        self.forget_after(session)
        return value_of(row)

    def _add_host(self, session: Session, row: TenantRow, host: str, *, is_primary: bool) -> None:
        values = {"host": host, "tenant_id": row.id, "is_primary": is_primary, "created_at": self.clock()}
        if not insert_if_absent(session.connection(), DomainRow, **values):
            raise DomainTaken(host)

    def _log(self, session: Session, row: TenantRow, *, before: TenantState | None, reason: str, actor: str) -> None:
        session.add(LifecycleRow(tenant_id=row.id, at=self.clock(), before=before, after=row.state, reason=reason, actor=actor))

    def _place(self, session: Session) -> Server:
        """The server with the most room.

        Raises:
            NoServer: every one is full.
        """
        counts = select(TenantRow.server, func.count()).where(TenantRow.state != TenantState.DELETED).group_by(TenantRow.server)
        used = {name: count for name, count in session.execute(counts)}  # noqa: C416 -- mypy cannot read dict() of rows
        best = max(self.servers, key=lambda server: server.capacity - used.get(server.name, 0))
        if used.get(best.name, 0) >= best.capacity:
            raise NoServer
        return best


def _forget_dirty(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        changed: set[Registry] = session.info[_DIRTY]
        while changed:
            changed.pop().forget()


def _live(key: str) -> Select[TenantRow]:
    return select(TenantRow).where(TenantRow.key == key, TenantRow.state != TenantState.DELETED)


def value_of(row: TenantRow) -> Tenant:
    """The row as the value that hosts see."""
    return Tenant(
        id=row.id,
        key=row.key,
        state=TenantState(row.state),
        domains=tuple(domain.host for domain in row.domains),
        revision=row.revision,
        database=row.database,
        server=row.server,
        metadata=MappingProxyType(dict(row.attributes)),
        epoch=row.epoch,
        created_at=row.created_at,
    )


def _is_settled(tenant: Tenant | None) -> bool:
    """Whether an answer is worth remembering: a tenant in the making is ready any moment, and someone waits at its door."""
    return tenant is None or tenant.state not in (TenantState.REQUESTED, TenantState.PROVISIONING)
