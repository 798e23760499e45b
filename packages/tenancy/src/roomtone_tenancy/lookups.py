"""Tenants by key and by host, as requests ask for them: from memory, else by one short read of the catalog."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, bindparam, select

from .announcements import Announcements
from .cache import CacheStats, LookupCache
from .changes import EVERYTHING, Change, Changes
from .lifecycle import TenantState
from .models import CredentialRow, DomainRow, TenantRow
from .reading import CatalogReader
from .tenant import Tenant
from .vault import Sealed, SealedLogin

T = TypeVar("T")
V = TypeVar("V")

LOGINS_MAX = 1_000
LISTENING_TTL_S = 60.0
"""How long an answer is believed while other processes' changes are heard: a lost message costs no more than this."""
_FOUND = (
    select(
        TenantRow.id,
        TenantRow.key,
        TenantRow.state,
        TenantRow.is_fenced,
        TenantRow.server,
        TenantRow.database,
        TenantRow.revision,
        TenantRow.epoch,
        TenantRow.attributes.label("attributes"),
        TenantRow.created_at,
        DomainRow.host,
        CredentialRow.role,
        CredentialRow.key_id,
        CredentialRow.secret,
    )
    .outerjoin(DomainRow, DomainRow.tenant_id == TenantRow.id)
    .outerjoin(CredentialRow, (CredentialRow.tenant_id == TenantRow.id) & CredentialRow.is_current)
    .where(TenantRow.state != TenantState.DELETED)
    .order_by(DomainRow.is_primary.desc(), DomainRow.host)
)
_BY_KEY = _FOUND.where(TenantRow.key == bindparam("sought"))
_OWNER = select(DomainRow.tenant_id).where(DomainRow.host == bindparam("sought")).scalar_subquery()
_BY_HOST = _FOUND.where(TenantRow.id == _OWNER)


class Lookups:
    """The two caches that answer every request, and what keeps them young.

    Args:
        ttl_s: how long an answer is believed while other processes' changes are not heard, seconds; `LISTENING_TTL_S` while they are.
        stale_s: how old an answer may be that is given when the catalog cannot be asked, seconds.
        entries_max: answers kept by key, and as many by host.
        timeout_s: how long a query may take, seconds.
        listen: whether to hear other processes' changes, where the catalog can announce them.
        chance: from 0 to 1, for jitter.
    """

    def __init__(
        self,
        catalog: Engine,
        *,
        ttl_s: float,
        stale_s: float,
        entries_max: int,
        timeout_s: float,
        listen: bool,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ttl_s, self._stale_s, self._entries_max, self._chance = ttl_s, stale_s, entries_max, chance
        self.changes = Changes()
        can_announce = listen and (catalog.dialect.name, catalog.dialect.driver) == ("postgresql", "psycopg")
        self.reader = CatalogReader(catalog, timeout_s=timeout_s, keeps=self._is_listening)
        self.announcements = Announcements(catalog, self.changes, chance=chance) if can_announce else None
        self._by_key: LookupCache[str, Tenant] = self.cache(_id_of, _is_settled)
        self._by_host: LookupCache[str, Tenant] = self.cache(_id_of, _is_settled)
        self._logins: dict[str, tuple[int, SealedLogin]] = {}
        self.changes.subscribe(self._hear, self._doubt)

    def cache(self, tag: Callable[[V], Hashable], is_kept: Callable[[V | None], bool] = lambda _: True) -> LookupCache[str, V]:
        """A cache of something else that the catalog has, under the same rules."""
        return LookupCache[str, V](
            ttl_s=self._ttl_now,
            stale_s=self._stale_s,
            entries_max=self._entries_max,
            tag=tag,
            is_kept=is_kept,
            load_wait_s=self.reader.wait_s,
            chance=self._chance,
        )

    def _ttl_now(self) -> float:
        return max(self._ttl_s, LISTENING_TTL_S) if self._is_listening() else self._ttl_s

    def _is_listening(self) -> bool:
        """Changes are heard; so no pooler in transaction mode stands before the catalog."""
        return self.announcements is not None and self.announcements.is_alive

    def stop(self, *, wait: bool = True) -> None:
        """Hear no more of other processes and keep no connection, until the catalog is asked again."""
        self.reader.stop()
        if self.announcements is not None:
            self.announcements.stop(wait=wait)

    def find(self, key: str) -> Tenant | None:
        """The tenant of this key; None when there is none."""
        return self._by_key.get(key, lambda: self._read(_BY_KEY, key))

    def find_host(self, host: str) -> Tenant | None:
        """The tenant that answers to an already normalised host; None when there is none."""
        return self._by_host.get(host, lambda: self._read_host(host))

    def _read_host(self, host: str) -> Tenant | None:
        """Whoever asks for a host asks for its tenant's key next."""
        before = self._by_key.stats().invalidations
        tenant = self._read(_BY_HOST, host)
        if tenant is not None:
            self._by_key.offer(tenant.key, tenant, read_after=before)
        return tenant

    def stats(self) -> CacheStats:
        """The counters of both caches together."""
        return self._by_key.stats() + self._by_host.stats()

    def _read(self, query: Select[Any], sought: str) -> Tenant | None:
        rows = self.read(lambda connection: connection.execute(query, {"sought": sought}).all())
        if not rows:
            return None
        tenant = value_of(rows[0], (row.host for row in rows if row.host is not None))
        if rows[0].secret is not None:
            self._logins[tenant.id] = (tenant.epoch, SealedLogin(rows[0].role, Sealed(key_id=rows[0].key_id, data=rows[0].secret)))
            while len(self._logins) > LOGINS_MAX:
                self._logins.pop(next(iter(self._logins)), None)
        return tenant

    def take_login(self, tenant: Tenant) -> SealedLogin | None:
        """The login that the tenant had when it was looked up, once: who connects to a tenant has mostly just looked it up.

        A replaced password raises the epoch, so that an older login is not given.
        """
        epoch, login = self._logins.pop(tenant.id, (0, None))
        return login if epoch == tenant.epoch else None

    def read(self, query: Callable[[Connection], T]) -> T:
        """Ask the catalog; the first time also begins to listen."""
        if self.announcements is not None:
            self.announcements.ensure()
        return self.reader.read(query)

    def _hear(self, change: Change) -> None:
        if change == EVERYTHING:
            self._by_key.clear()
            self._by_host.clear()
        if change.tenant is not None:
            self._by_key.drop_tagged(change.tenant)
            self._by_host.drop_tagged(change.tenant)
        if change.key is not None:
            self._by_key.drop(change.key)
        if change.host is not None:
            self._by_host.drop(change.host)

    def _doubt(self) -> None:
        self._by_key.expire()
        self._by_host.expire()


def value_of(row: Any, domains: Iterable[str]) -> Tenant:  # a TenantRow, or a row of its columns
    """The row as the value that hosts see: while an operation has its writes refused, an active tenant is a read-only one."""
    state = TenantState(row.state)
    return Tenant(
        id=row.id,
        key=row.key,
        state=TenantState.READ_ONLY if row.is_fenced and state is TenantState.ACTIVE else state,
        domains=tuple(domains),
        revision=row.revision,
        database=row.database,
        server=row.server,
        metadata=MappingProxyType(dict(row.attributes)),
        epoch=row.epoch,
        created_at=row.created_at,
    )


def _id_of(tenant: Tenant) -> str:
    return tenant.id


def _is_settled(tenant: Tenant | None) -> bool:
    """Whether an answer is worth remembering: a tenant in the making is ready any moment, and someone waits at its door."""
    return tenant is None or tenant.state not in (TenantState.REQUESTED, TenantState.PROVISIONING)
