"""What the catalog knows of tenants: cached reads, and writes inside the host's transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Engine, bindparam, delete, literal, select, union_all, update
from sqlalchemy.orm import Session

from . import key as keys
from . import moving
from .changes import EVERYTHING, Change
from .claim import Claim
from .errors import DomainTaken, ReservedKey, TenantExists, TenantUnavailable, UnknownHost, UnknownTenant
from .events import Events, StateChanged, TenantRegistered
from .insertion import insert_absent, insert_if_absent
from .lifecycle import TenantState, check_move
from .lookups import Lookups, value_of
from .models import CopyRow, DomainRow, InstallationRow, LifecycleRow, TenantRow
from .placement import Wish
from .reserved import Reserved
from .resolve import normalise_host
from .servers import Servers
from .tenant import LifecycleEntry, Tenant


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The tenants of one catalog. Changes made through it are seen at once in this process."""

    catalog: Engine
    lookups: Lookups
    servers: Servers
    clock: Callable[[], datetime]
    events: Events
    reserved: Reserved
    _installation: list[str] = field(default_factory=list)

    # ── Reads ────────────────────────────────────────────────────────────

    def find(self, key: str) -> Tenant | None:
        """The tenant of this key as it was when last read; None when there is none.

        Raises:
            CatalogUnavailable: the catalog cannot be asked, and nothing young enough is known.
        """
        return self.lookups.find(key)

    def get(self, key: str) -> Tenant:
        """The tenant of this key.

        Raises:
            UnknownTenant: there is none.
            CatalogUnavailable: as for `find`.
        """
        if (tenant := self.lookups.find(key)) is None:
            raise UnknownTenant(key)
        return tenant

    def fresh(self, key: str) -> Tenant:
        """The tenant of this key as it is now; otherwise as `get`."""
        self.lookups.changes.publish(Change(key=key))
        return self.get(key)

    def resolve(self, host: str) -> Tenant:
        """The tenant that answers to a host, however it is spelt.

        Raises:
            UnknownHost: there is none.
            BadHost: it is no host name.
            CatalogUnavailable: as for `find`.
        """
        host = normalise_host(host)
        tenant = self.lookups.find_host(host)
        if tenant is None:
            raise UnknownHost(host)
        return tenant

    def all(self, state: TenantState | None = None) -> list[Tenant]:
        """Tenants by key, all but the deleted ones when `state` is None; read from the catalog, not from the cache."""
        wanted = TenantRow.state != TenantState.DELETED if state is None else TenantRow.state == state
        with Session(self.catalog) as session:
            return [value_of_row(row) for row in session.scalars(select(TenantRow).where(wanted).order_by(TenantRow.key))]

    def databases(self) -> set[str]:
        """Names of all databases of tenants, with those beside them."""
        with Session(self.catalog) as session:
            beside = session.scalars(select(CopyRow.database))
            return {*beside, *session.scalars(select(TenantRow.database).where(TenantRow.database.is_not(None)))} - {None}

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

    def usable(self, tenant: Tenant) -> Tenant:
        """The tenant as it is now, from memory as a rule. Its key may be another tenant's by now.

        Raises:
            TenantUnavailable: its state gives no sessions.
        """
        now = self.find(tenant.key)
        if now is None or now.id != tenant.id:
            raise TenantUnavailable(tenant.key, TenantState.DELETED)
        if not now.state.may_read:
            raise TenantUnavailable(tenant.key, now.state)
        return now

    def forget(self) -> None:
        """Read everything from the catalog again."""
        self.lookups.changes.publish(EVERYTHING)

    def installation(self, session: Session | None = None) -> str:
        """The name that this catalog's databases carry; it never changes. Read within the session's transaction, if one is given."""
        if not self._installation:
            with nullcontext(session) if session is not None else Session(self.catalog) as reading:
                self._installation.append(reading.scalars(select(InstallationRow.name)).one())
        return self._installation[0]

    # ── Writes: they flush; the host commits ─────────────────────────────

    def register(
        self,
        session: Session,
        key: str,
        *,
        domains: Sequence[str],
        metadata: Mapping[str, Any] | None,
        region: str | None,
        claim: Callable[[str], Claim | None] = lambda _: None,
        claimed: Sequence[tuple[TenantState, str]] = (),
    ) -> Tenant:
        """Add the tenant, placed and named but without a database yet, unless `claim` has a spare one on the server of this name.

        Args:
            claimed: the moves, with their reasons, that a tenant with a spare makes at once.
        """
        if self.reserved.has_key(keys.check(key)):
            raise ReservedKey(key)
        hosts = list(dict.fromkeys(normalise_host(host) for host in domains))
        session.flush()
        self._refuse_taken(session, key, hosts)
        server = self.servers.place(session, Wish(key=key, region=region))
        spare = claim(server)
        moves = [(TenantState.REQUESTED, "registered"), *(claimed if spare else ())]
        tenant = Tenant(
            id=spare.id if spare else uuid.uuid4().hex,
            key=key,
            state=moves[-1][0],
            domains=(*hosts[:1], *sorted(hosts[1:])),
            revision=spare.revision if spare else None,
            database=spare.database if spare else keys.opaque_name(self.installation(session)),
            server=server,
            metadata=MappingProxyType(json.loads(json.dumps(dict(metadata or {})))),
            epoch=len(moves),
            created_at=self.clock().astimezone(UTC),
        )
        self._insert(session, tenant)
        moving.log(session.connection(), tenant.id, moves, at=tenant.created_at)
        self.events.tell_after(session, TenantRegistered(tenant=tenant))
        for (before, _), (after, reason) in pairwise(moves):
            self.events.tell_after(session, StateChanged(tenant=tenant, before=before, after=after, reason=reason, actor="system"))
        self.forget_after(session, tenant, *hosts)
        return tenant

    def _refuse_taken(self, session: Session, key: str, hosts: Sequence[str]) -> None:
        for (host,) in session.connection().execute(_TAKEN, {"key": key, "hosts": hosts}):
            raise DomainTaken(host) if host else TenantExists(key)

    def _insert(self, session: Session, tenant: Tenant) -> None:
        """Add its row and its hosts. Somebody may be faster with either: half a tenant must not stay in a transaction that goes on."""
        connection, now = session.connection(), tenant.created_at
        values = {name: getattr(tenant, name) for name in ("id", "key", "state", "server", "database", "revision", "epoch", "created_at")}
        if not insert_if_absent(connection, TenantRow, **values, metadata=dict(tenant.metadata), updated_at=now):
            raise TenantExists(tenant.key)
        # In one order, or two transactions that want the same hosts could wait for one another.
        rows = [
            {"host": host, "tenant_id": tenant.id, "is_primary": host == tenant.domains[0], "created_at": now}
            for host in sorted(tenant.domains)
        ]
        inserted = insert_absent(connection, DomainRow, DomainRow.host, rows)
        for taken in set(tenant.domains) - inserted:
            connection.execute(delete(DomainRow).where(DomainRow.tenant_id == tenant.id))
            undone = {"state": TenantState.DELETED, "database": None, "revision": None}
            connection.execute(update(TenantRow).where(TenantRow.id == tenant.id).values(undone))
            moving.log(connection, tenant.id, [(TenantState.DELETED, "its host was taken")], at=now)
            raise DomainTaken(taken)

    def unchanged(self, session: Session, tenant: Tenant) -> Tenant | None:
        """The tenant, locked until the transaction ends; None when its state is not what was read any more."""
        return tenant if moving.is_unchanged(session.connection(), tenant, self.clock()) else None

    def advance(self, session: Session, tenant: Tenant, after: TenantState, *, reason: str) -> Tenant | None:
        """Move a tenant that is in the making on, in one statement; None when it is not as it was read any more."""
        check_move(tenant.key, tenant.state, after)
        connection, now = session.connection(), self.clock()
        epoch = moving.advance(connection, tenant, after, now)
        if epoch is None:
            return None
        moved = replace(tenant, state=after, epoch=epoch)
        moving.log(connection, tenant.id, [(after, reason)], at=now, before=tenant.state)
        self.events.tell_after(session, StateChanged(tenant=moved, before=tenant.state, after=after, reason=reason, actor="system"))
        self.forget_after(session, moved)
        return moved

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
            if after not in (TenantState.ARCHIVED, TenantState.DELETING):
                row.delete_at = None  # whoever takes it out of the archive wants it
            session.flush()
            moving.log(session.connection(), row.id, [(after, reason)], at=row.updated_at, before=before, actor=actor)
            self.events.tell_after(session, StateChanged(tenant=value_of_row(row), before=before, after=after, reason=reason, actor=actor))
        self.forget_after(session, row)
        return value_of_row(row)

    def add_domain(self, session: Session, key: str, host: str, *, primary: bool) -> Tenant:
        """Let the tenant answer to one more host; the first one is the primary in any case."""
        host = normalise_host(host)
        row = self.locked(session, key)
        owned = {domain.host: domain for domain in session.scalars(select(DomainRow).where(DomainRow.tenant_id == row.id))}
        if primary:
            for domain in owned.values():
                domain.is_primary = domain.host == host
        if host not in owned:
            values = {"host": host, "tenant_id": row.id, "is_primary": primary or not owned, "created_at": self.clock()}
            if not insert_if_absent(session.connection(), DomainRow, **values):
                raise DomainTaken(host)
        return self._changed(session, row, host)

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
        row = session.scalar(select(TenantRow).where(_is_live(key)).with_for_update().execution_options(populate_existing=True))
        if row is None:
            raise UnknownTenant(key)
        return row

    def forget_after(self, session: Session, row: TenantRow | Tenant, *hosts: str) -> None:
        """Drop what is cached of the tenant, and of hosts that it gets or loses, when the session's transaction ends."""
        self.lookups.changes.publish_after(session, Change(tenant=row.id, key=row.key), *(Change(host=host) for host in hosts))

    def _changed(self, session: Session, row: TenantRow, *hosts: str) -> Tenant:
        row.updated_at = self.clock()
        session.flush()
        session.refresh(row)
        self.forget_after(session, row, *hosts)
        return value_of_row(row)


def _is_live(key: str | BindParameter[str]) -> ColumnElement[bool]:
    return (TenantRow.key == key) & (TenantRow.state != TenantState.DELETED)


_TAKEN = union_all(
    select(literal("").label("host")).where(_is_live(bindparam("key"))),
    select(DomainRow.host).where(DomainRow.host.in_(bindparam("hosts", expanding=True))),
)


def value_of_row(row: TenantRow) -> Tenant:
    """The row as the value that hosts see."""
    return value_of(row, (domain.host for domain in row.domains))
