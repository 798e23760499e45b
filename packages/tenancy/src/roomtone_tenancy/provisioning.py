"""Makes tenants' databases, step by step; killed anywhere, the next run goes on with the step that was not finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from .context import Scope
from .credentials import Credentials
from .errors import ProvisioningFailed, TemplateGone
from .guard import TenantSession
from .lease import Lease, Leases
from .lifecycle import TenantState
from .models import TenantRow
from .operations import Listener, Operations
from .provisioners import Place, Worker
from .provisioners.stamp import STAMP, stamp
from .registry import Registry
from .revisions import Revisions
from .sites import Site, Sites
from .templates import Templates
from .tenant import Tenant

Seed = Callable[[Session, Tenant], None]
CLONE_ATTEMPTS_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Provisioning:
    """Fulfils what `register` wished for."""

    catalog: Engine
    registry: Registry
    operations: Operations
    leases: Leases
    credentials: Credentials
    templates: Templates
    revisions: Revisions
    sites: Sites
    scope: Scope
    clock: Callable[[], datetime]
    seed: Seed | None

    def steps(self, server: str | None) -> list[str]:
        """The steps for a tenant on this server, in order."""
        roles = ["roles"] if self.sites[server].provisioner.has_roles else []
        return ["template", *roles, "database", "security", "schema", "stamp", *(["seed"] if self.seed else []), "activation"]

    def run(self, tenant: Tenant, listener: Listener | None) -> None:
        """Bring a tenant to active; see `Tenancy.provision`."""
        site = self.sites[tenant.server]
        assert tenant.database is not None
        lock = f"tenant:{tenant.id}"
        with self.leases.hold(lock) as lease, site.provisioner.work(lock) as worker:
            run = _Run(self, tenant, site, Place(database=tenant.database), worker, lease)
            run.start()
            for name in self.operations.begin(lease, tenant.id):
                try:
                    with self.operations.step(lease, tenant.id, name, listener):
                        run.do(name)
                except Exception as error:
                    raise ProvisioningFailed(tenant.key, name, f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class _Run:
    """One attempt: each step finds out what is there before it does anything."""

    of: Provisioning
    tenant: Tenant
    site: Site
    place: Place
    worker: Worker
    lease: Lease

    def start(self) -> None:
        with Session(self.of.catalog) as session, session.begin():
            self.lease.check(session)
            self.of.registry.move(session, self.tenant.key, TenantState.PROVISIONING, reason="provisioning began", actor="system")

    def do(self, step: str) -> None:
        steps = {
            "template": self._template,
            "roles": self._roles,
            "database": self._database,
            "security": lambda: self.worker.secure(self.place),
            "schema": self._schema,
            "stamp": self._stamp,
            "seed": self._seed,
            "activation": self._activation,
        }
        steps[step]()

    def _template(self) -> None:
        self.of.templates.ensure(self.site.name, self.site.provisioner)

    def _roles(self) -> None:
        self.worker.make_roles(self.place, self.of.credentials.ensure(self.lease, self.tenant.id, self.place.logins[0]))

    def _database(self) -> None:
        for attempt in range(1, CLONE_ATTEMPTS_MAX + 1):
            try:
                self.worker.clone(self.place, self.of.templates.ensure(self.site.name, self.site.provisioner))
            except TemplateGone:
                if attempt == CLONE_ATTEMPTS_MAX:
                    raise
            else:
                return

    def _schema(self) -> None:
        """Usually nothing to run: the template was at head. It was not if the head moved while we were dead."""
        with self.site.provisioner.owner_connection(self.place) as connection:
            revision = self.of.revisions.current(connection)
            connection.rollback()
            if revision != self.of.revisions.head:
                revision = self.of.revisions.upgrade(connection)
        with Session(self.of.catalog) as session, session.begin():
            self.lease.check(session)
            session.execute(update(TenantRow).where(TenantRow.id == self.tenant.id).values(revision=revision))

    def _stamp(self) -> None:
        with self.site.provisioner.owner_connection(self.place) as connection:
            stamp(connection, self.tenant)

    def _seed(self) -> None:
        """Seed exactly once: that it is done is committed with what it wrote."""
        assert self.of.seed is not None
        login = self.of.credentials.current(self.tenant.id)
        engine = self.site.engines.once(self.tenant, self.site.provisioner.url(self.place, login))
        try:
            with (
                self.of.scope.enter(self.tenant, allow_switch=True),
                TenantSession(engine, tenant=self.tenant, scope=self.of.scope) as session,
            ):
                if session.scalar(select(STAMP.c.seeded_at).with_for_update(of=STAMP)) is None:
                    self.of.seed(session, self.tenant)
                    session.execute(update(STAMP).values(seeded_at=self.of.clock()))
                    session.commit()
        finally:
            engine.dispose()

    def _activation(self) -> None:
        with Session(self.of.catalog) as session, session.begin():
            self.lease.check(session)
            self.of.operations.finish(session, self.tenant.id)
            self.of.registry.move(session, self.tenant.key, TenantState.ACTIVE, reason="provisioned", actor="system")
