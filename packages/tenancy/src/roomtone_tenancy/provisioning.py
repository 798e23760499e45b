"""Makes tenants' databases, step by step; killed anywhere, the next run goes on with the step that was not finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, bindparam, select, update
from sqlalchemy.orm import Session

from . import faults
from .claim import Claim
from .context import Scope
from .credentials import Credentials
from .errors import DomainTaken, OperationBusy, ProvisioningFailed, TenantExists, TenantUnavailable
from .events import Events, SpareClaimed, StepFinished, StepStarted, TenantActivated
from .guard import TenantSession
from .lease import Lease, Leases
from .lifecycle import TenantState
from .making import Making
from .models import TenantRow
from .operations import Attempt, Listener, Operations
from .provisioners import Place
from .provisioners.stamp import STAMP
from .registry import Registry
from .revisions import Revisions
from .sites import Sites
from .spans import Spans
from .spares import Spares
from .templates import Templates
from .tenant import Tenant

UNMADE_STATES = (TenantState.REQUESTED, TenantState.PROVISIONING)
Seed = Callable[[Session, Tenant], None]


_REACHED = update(TenantRow).where(TenantRow.id == bindparam("tenant"))


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
    spares: Spares
    events: Events
    scope: Scope
    clock: Callable[[], datetime]
    seed: Seed | None
    spans: Spans

    def register(self, session: Session, key: str, **wishes: Any) -> Tenant:
        """See `Tenancy.register`; a spare makes the tenant active at once, when nothing of the host's is to run for it."""
        claimed: list[Claim] = []

        def claim(server: str) -> Claim | None:
            found = self.spares.take(session, server)
            claimed.extend([found] if found is not None else [])
            return found

        left = self.steps_for_spare()
        moves = [(TenantState.PROVISIONING, "took a spare database"), *([] if left else [(TenantState.ACTIVE, "provisioned")])]
        try:
            tenant = self.registry.register(session, key, claim=claim, claimed=moves, **wishes)
        except (TenantExists, DomainTaken) as error:
            for each in claimed:  # after DomainTaken its id is in use: the row of the tenant that was not to be
                self.spares.put_back(session, each, is_ready=isinstance(error, TenantExists))
            raise
        if claimed:
            self._adopt(session, tenant, claimed[0], left)
        else:
            self.operations.want(session, tenant.id, "provision", self.steps(tenant.server))
        return tenant

    def _adopt(self, session: Session, tenant: Tenant, claim: Claim, left: Sequence[str]) -> None:
        """Let the tenant have what the spare had."""
        if claim.role is not None and claim.sealed is not None:
            self.credentials.store(session, tenant.id, claim.role, claim.sealed)
        self.operations.want(session, tenant.id, "provision", left, done=["claim"])
        self.events.tell_after(session, SpareClaimed(tenant=tenant))
        if not left:
            self.events.tell_after(session, TenantActivated(tenant=tenant))

    def steps(self, server: str | None) -> list[str]:
        """The steps for a tenant on this server, in order."""
        roles = ["roles"] if self.sites[server].provisioner.has_roles else []
        return ["template", *roles, "database", "security", "schema", "stamp", *(["seed"] if self.seed else []), "activation"]

    def steps_for_spare(self) -> list[str]:
        """The steps that a spare database leaves to do: none, unless the host seeds tenants or listens to steps.

        The head may move before they are run, and a migration of the fleet passes by what is not active; hence the schema again.
        """
        if self.seed is None and not self.events.has(StepStarted, StepFinished):
            return []
        return ["schema", "stamp", *(["seed"] if self.seed else []), "activation"]

    def run(self, tenant: Tenant, listener: Listener | None) -> Tenant | None:
        """Bring a tenant to active; see `Tenancy.provision`. None when somebody else did, or deletes it."""
        site, lock = self.sites[tenant.server], f"tenant:{tenant.id}"

        def begin(session: Session, lease: Lease) -> Attempt | None:
            begun = None
            if tenant.state is TenantState.REQUESTED:
                begun = self.registry.advance(session, tenant, TenantState.PROVISIONING, reason="provisioning began")
            # Somebody who began since it was read, and died, left it there.
            begun = begun or self.registry.unchanged(session, replace(tenant, state=TenantState.PROVISIONING))
            if begun is None:
                return None
            return self.operations.begin(session, lease, begun, listener, kind="provision", is_instant=site.provisioner.is_instant)

        with self.spans.span("provision", tenant=tenant.key), self.leases.hold_and(lock, begin) as attempt, ExitStack() as stack:
            if attempt is None:
                return None
            try:
                worker = stack.enter_context(site.provisioner.work(lock))
            except OperationBusy:
                attempt.interrupted()
                raise
            except Exception as error:
                attempt.interrupted(error)
                raise ProvisioningFailed(tenant.key, "connection", f"{type(error).__name__}: {error}") from error
            place = Place(database=attempt.tenant.database or "")
            making = Making(templates=self.templates, site=site, worker=worker, place=place, id=tenant.id, title=tenant.key)
            run = _Run(self, attempt.tenant, making, attempt)
            for name in attempt.steps:
                try:
                    with attempt.step(name):
                        run.do(name)
                except Exception as error:
                    raise ProvisioningFailed(tenant.key, name, f"{type(error).__name__}: {error}") from error
            return run.active


@dataclass
class _Run:
    """One attempt; `active` is the tenant that it made."""

    of: Provisioning
    tenant: Tenant
    making: Making
    attempt: Attempt
    active: Tenant | None = None

    def do(self, step: str) -> None:
        steps = {
            "template": self.making.template,
            "roles": self._roles,
            "database": self.making.database,
            "security": self.making.security,
            "schema": self._schema,
            "stamp": self._stamp,
            "seed": self._seed,
            "activation": self._activation,
        }
        steps[step]()

    def _roles(self) -> None:
        login = self.of.credentials.ensure(self.attempt.lease, self.tenant.id, self.making.place.logins[0])
        self.making.worker.make_roles(self.making.place, login)

    def _schema(self) -> None:
        revision = self.making.schema()
        self.tenant = replace(self.tenant, revision=revision)
        reached = {"tenant": self.tenant.id, "revision": revision}
        self.attempt.record(lambda session: session.connection().execute(_REACHED, reached))

    def _stamp(self) -> None:
        self.making.stamp()
        self.making.worker.leave()

    def _seed(self) -> None:
        """Seed exactly once: that it is done is committed with what it wrote."""
        assert self.of.seed is not None
        site = self.making.site
        login = self.of.credentials.current(self.tenant.id)
        engine = site.engines.once(self.tenant, site.provisioner.url(self.making.place, login))
        try:
            with (
                self.of.scope.enter(self.tenant, allow_switch=True),
                TenantSession(engine, tenant=self.tenant, scope=self.of.scope) as session,
            ):
                if session.scalar(select(STAMP.c.seeded_at).with_for_update(of=STAMP)) is None:
                    self.of.seed(session, self.tenant)
                    session.execute(update(STAMP).values(seeded_at=self.of.clock()))
                    faults.point("seed.written")
                    session.commit()
        finally:
            engine.dispose()

    def _activation(self) -> None:
        with Session(self.of.catalog) as session, self.attempt.lease.last(session, self.of.clock()):
            self.attempt.finish(session)
            active = self.of.registry.advance(session, self.tenant, TenantState.ACTIVE, reason="provisioned")
            if active is None:
                raise TenantUnavailable(self.tenant.key, TenantState.DELETING)
            faults.point("activation.written")
            self.of.events.tell_after(session, TenantActivated(tenant=active))
        self.active = active
