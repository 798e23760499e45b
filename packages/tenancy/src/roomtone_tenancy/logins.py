"""Two logins for each tenant, current in turn: a password is replaced while the old one still opens connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from .errors import StillDraining, TenantUnavailable
from .events import LoginRetired, PasswordRotated
from .lease import Lease
from .lifecycle import TenantState
from .models import CredentialRow, TenantRow
from .provisioners import Place, Worker
from .provisioning import Provisioning
from .registry import value_of_row
from .tenant import Tenant

ROTATED_STATES = (TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.SUSPENDED, TenantState.ARCHIVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordReport:
    """What one run did.

    Args:
        done: keys of the tenants whose login was replaced, or retired, in order.
        skipped: keys of those with nothing to do: files have no logins.
        failed: why, by key; the next run tries them again.
    """

    done: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Logins:
    """The logins of all tenants. One that is current is never changed: the other one is, and then they change places."""

    of: Provisioning

    def rotate(self, key: str, *, drain_s: float) -> str | None:
        """See `Secrets.rotate_password`."""
        with self._work(key) as (tenant, place, worker, lease):
            if worker is None:
                return None
            current = self.of.credentials.current(tenant.id)
            since = self.of.credentials.draining_since(tenant.id)
            if since is not None and since + timedelta(seconds=drain_s) > self.of.clock():
                raise StillDraining(key, until=since + timedelta(seconds=drain_s))
            role = next(role for role in place.logins if current is None or role != current.role)
            worker.make_login(place, self.of.credentials.draw(lease, tenant.id, role))
            self._switch(lease, tenant, role)
            return role

    def retire(self, key: str, *, drain_s: float) -> bool:
        """Close the login that is not current, if it was replaced long enough ago; whether it was."""
        with self._work(key) as (tenant, place, worker, lease):
            since = self.of.credentials.draining_since(tenant.id)
            if worker is None or since is None or since + timedelta(seconds=drain_s) > self.of.clock():
                return False
            current = self.of.credentials.current(tenant.id)
            for role in place.logins:
                if current is not None and role != current.role:
                    worker.retire_login(role)
                    self.of.credentials.forget(lease, tenant.id, role)
                    self.of.events.tell(LoginRetired(tenant=tenant, role=role))
            return True

    def replaceable(self, where: Callable[[Tenant], bool], older_than: datetime | None) -> list[str]:
        """Keys of the tenants that pass, whose password was set before that time."""
        kept = set() if older_than is None else self._since(older_than)
        tenants = self.of.registry.all()
        return [each.key for each in tenants if each.state in ROTATED_STATES and each.id not in kept and where(each)]

    def _since(self, time: datetime) -> set[str]:
        """Ids of the tenants whose password was set then or later."""
        wanted = select(CredentialRow.tenant_id).where(CredentialRow.is_current, CredentialRow.created_at >= time)
        with Session(self.of.catalog) as session:
            return set(session.scalars(wanted))

    def replaced(self) -> list[str]:
        """Keys of the tenants with a login that is not current and not retired."""
        waiting = select(CredentialRow.tenant_id).where(CredentialRow.is_current.is_(False))
        wanted = select(TenantRow.key).where(TenantRow.id.in_(waiting), TenantRow.state.in_(ROTATED_STATES)).order_by(TenantRow.key)
        with Session(self.of.catalog) as session:
            return list(session.scalars(wanted))

    @contextmanager
    def _work(self, key: str) -> Iterator[tuple[Tenant, Place, Worker | None, Lease]]:
        """Hold the tenant as provisioning and deletion do; no worker where tenants have no roles."""
        lock = f"tenant:{self.of.registry.get(key).id}"
        with self.of.leases.hold(lock) as lease:
            self.of.registry.forget()
            tenant = self.of.registry.get(key)
            if tenant.state not in ROTATED_STATES or lease.name != f"tenant:{tenant.id}" or tenant.database is None:
                raise TenantUnavailable(key, tenant.state)
            place, provisioner = Place(database=tenant.database), self.of.sites[tenant.server].provisioner
            if not provisioner.has_roles:
                yield tenant, place, None, lease
                return
            with provisioner.work(lock) as worker:
                yield tenant, place, worker, lease

    def _switch(self, lease: Lease, tenant: Tenant, role: str) -> None:
        """One transaction makes the new login current and tells every process by the epoch."""
        with Session(self.of.catalog) as session, session.begin():
            lease.check(session)
            self.of.credentials.switch(session, tenant.id, role)
            row = self.of.registry.locked(session, tenant.key)
            row.epoch += 1
            row.updated_at = self.of.clock()
            self.of.registry.forget_after(session, row)
            self.of.events.tell_after(session, PasswordRotated(tenant=value_of_row(row), role=role))


def each_of(keys: list[str], verb: Callable[[str], bool], on_tenant: Callable[[str, str | None], None] | None) -> PasswordReport:
    """Do it for one tenant after another; what fails stops only its tenant."""
    done, skipped, failed = list[str](), list[str](), dict[str, str]()
    for key in keys:
        try:
            (done if verb(key) else skipped).append(key)
        except Exception as error:  # noqa: BLE001 -- whatever one server answers, the other tenants go on
            failed[key] = f"{type(error).__name__}: {error}"
        if on_tenant is not None:
            on_tenant(key, failed.get(key))
    return PasswordReport(done=tuple(done), skipped=tuple(skipped), failed=failed)
