"""Which tenants are used: a coarse note in the catalog, so that what is done for all of them can leave the sleeping ones alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from ..run_models import ActivityRow
from ..tenant import Tenant

REMEMBERED_MAX = 10_000


@dataclass(kw_only=True)
class Activity:
    """Notes of when tenants were at work.

    Args:
        every: how often a process writes the same tenant's note at the most.
    """

    catalog: Engine
    clock: Callable[[], datetime]
    every: timedelta = timedelta(hours=1)
    _noted: OrderedDict[str, datetime] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, tenant: Tenant) -> bool:
        """Note that the tenant is at work now; whether anything was written.

        Costs a look into memory, and one statement in the catalog per tenant, process and `every`. A `tenancy.use()` notes nothing by
        itself: it executes no SQL, and jobs that go over all tenants would make each of them look active. Call it where people come in.
        """
        now = self.clock()
        with self._lock:
            before = self._noted.get(tenant.id)
            if before is not None and now - before < self.every:
                return False
            self._noted[tenant.id] = now
            self._noted.move_to_end(tenant.id)
            while len(self._noted) > REMEMBERED_MAX:
                self._noted.popitem(last=False)
        with self.catalog.begin() as connection:
            make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert  # two unrelated classes
            insert = make(ActivityRow.__table__).values(tenant_id=tenant.id, seen_at=now)
            newer = ActivityRow.__table__.c.seen_at < insert.excluded.seen_at
            connection.execute(insert.on_conflict_do_update(index_elements=["tenant_id"], set_={"seen_at": now}, where=newer))
        return True

    def active(self, *, days: float) -> Callable[[Tenant], bool]:
        """Whether a tenant was noted, or made, within so many days: for `where=`. Reads the catalog once, now."""
        since = self.clock() - timedelta(days=days)
        with self.catalog.connect() as connection:
            seen = set(connection.scalars(select(ActivityRow.tenant_id).where(ActivityRow.seen_at >= since)))
        return lambda tenant: tenant.id in seen or tenant.created_at >= since

    def last_seen(self, tenant: Tenant) -> datetime | None:
        """When the tenant was noted last; None when it never was."""
        with self.catalog.connect() as connection:
            return connection.scalar(select(ActivityRow.seen_at).where(ActivityRow.tenant_id == tenant.id))
