"""`tenancy.fleet`: migrates all tenants in waves, says how far that is, and checks what is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session

from .errors import NoRun, OperationBusy, RunInTheWay
from .events import RunFinished, RunResumed, RunStarted
from .fleet import rendering, status, verification
from .fleet.activity import Activity
from .fleet.desk import MIGRATED_STATES
from .fleet.rollout import Rollout, RunState
from .fleet.runner import Runner
from .fleet.runs import Runs
from .fleet.status import Plan, Planned, RunStatus
from .fleet.verification import Verification
from .fleet.works import Candidate, Result
from .key import PREFIX
from .models import TenantRow
from .provisioners import Place
from .provisioning import Provisioning
from .run_models import RunRow
from .tenant import Tenant

OnTenant = Callable[[str, str | None], None]
ROUNDS_MAX = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationReport:
    """What one call of `Tenancy.migrate` did.

    Args:
        head: the revision that everything should be at.
        migrated: keys of the tenants brought there by this call, in order.
        failed: why, by key; those stay as they were and the next call tries them again.
    """

    head: str
    migrated: tuple[str, ...]
    failed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All tenants of a catalog.

    Args:
        backlog_max_bytes: drop nothing on a server that has written more since its last checkpoint: a drop takes another one at once.
    """

    of: Provisioning
    backlog_max_bytes: int = 64 * 1024**2

    # ── Migrations ───────────────────────────────────────────────────────

    def plan(self, rollout: Rollout | None = None, *, first: Sequence[str] = ()) -> Plan:
        """What `run` would do now. Asks the catalog only."""
        rollout, head = rollout or Rollout(), self.of.revisions.head
        tenants = [
            Planned(
                key=it.key,
                server=it.server,
                before=it.revision,
                revisions=self.of.revisions.missing(it.revision),
                wave=rollout.wave_of(position),
            )
            for position, it in enumerate(self.behind(first))
        ]
        templates = tuple(name for name in self.of.sites.by_name if self.of.templates.current(name) is None)
        return Plan(target=head, tenants=tuple(tenants), templates=templates)

    def run(self, rollout: Rollout | None = None, *, first: Sequence[str] = (), on_tenant: OnTenant | None = None) -> RunStatus:
        """Bring the templates, the spares and every tenant behind the head there: begin a run, or help with the one that is running.

        Any number of processes on any number of machines may call it at once. Killed, it is called again and goes on.

        Args:
            rollout: how; the waves and limits of a run that is running stay, `parallel` is this process's own.
            first: keys to be taken first, as the canary.
            on_tenant: called after each that this process did, with its key and its error, None when there is none.

        Raises:
            RunInTheWay: a run to a revision that this code does not know is running.
            MigrationsInvalid: the catalog has a tenant at a revision that this code does not know.

        Effects:
            Opens no tenant's database when the catalog says that all are at the head. A run to an older revision is stopped.
            What older code makes meanwhile is taken by a further run, at most `ROUNDS_MAX` in all; the status is the last one's.
        """
        self._prepare()
        rounds = 0
        while True:
            run_id = row.id if (row := self._joinable()) is not None else None
            if run_id is None:
                behind = self.behind(first)
                if not behind:
                    self._sweep()
                    return status.nothing_to_do(self.of.revisions.head)
                for revision in {tenant.revision for tenant in behind}:
                    self.of.revisions.missing(revision)
                run_id = self._runs.begin(self.of.revisions.head, rollout or Rollout(), behind)
                if run_id is not None:
                    self.of.events.tell(RunStarted(run=run_id, target=self.of.revisions.head, tenants=len(behind)))
            if run_id is not None:
                done = self._work(run_id, rollout, on_tenant)
                rounds += 1
                if rounds == ROUNDS_MAX or not done.is_success or not self.behind():
                    return done

    def resume(self, *, parallel: int | None = None, on_tenant: OnTenant | None = None) -> RunStatus:
        """Go on with the newest run: after a kill with what is left, after its stop or its end also with those that failed.

        Raises:
            NoRun: there is none, or all its tenants came to the head.
            RunInTheWay: it goes to another revision than this code's head.
        """
        row = self._runs.latest()
        if row is None or (row.state == RunState.DONE and not self._runs.has_failures(row.id)):
            raise NoRun()
        if row.target != self.of.revisions.head:
            raise RunInTheWay(row.id, target=row.target, head=self.of.revisions.head)
        self._prepare()
        if row.state != RunState.RUNNING:
            self._runs.reopen(row.id)
            self.of.events.tell(RunResumed(run=row.id, target=row.target))
        return self._work(row.id, replace(_rollout(row), parallel=parallel) if parallel else None, on_tenant)

    def stop(self, reason: str = "stopped by hand") -> bool:
        """Have every runner finish what it works on and begin nothing more; whether a run was running."""
        row = self._runs.running()
        return row is not None and self._stop(row, reason)

    def _stop(self, row: RunRow, reason: str) -> bool:
        was_running = self._runs.stop(row.id, reason)
        if was_running:
            self.of.events.tell(RunFinished(run=row.id, target=row.target, state=RunState.STOPPED, reason=reason))
        return was_running

    def status(self, run: int | None = None) -> RunStatus:
        """How far a run is, the newest when None.

        Raises:
            NoRun: there is none.
        """
        found = self.latest() if run is None else self._status(self._runs.get(run))
        if found is None:
            raise NoRun(run)
        return found

    def latest(self) -> RunStatus | None:
        """How far the newest run is; None when there never was one."""
        return self._status(self._runs.latest())

    def sql(self, server: str, *, since: str) -> str:
        """What `run` would send to a tenant of this server at revision `since`, as a script; connects nowhere.

        Raises:
            NoServer: there is no such server.
            MigrationsInvalid: there is no such revision, or one after it cannot be written without a database.
        """
        return rendering.script(self.of.revisions, self.of.sites[server].server, since)

    def verify(
        self,
        where: Callable[[Tenant], bool] = lambda _: True,
        *,
        parallel: int = 8,
        schema: bool = False,
        repair: bool = False,
        on_tenant: Callable[[str], object] = lambda _: None,
    ) -> Verification:
        """Ask tenants' databases what the catalog says of them: whose they are, their revision, half-built indexes.

        Args:
            where: whether to ask this one.
            parallel: how many at once, >= 1.
            schema: also compare the tables with `Tenancy(metadata=...)`, as Alembic does; some tenths of a second each.
            repair: set the catalog's revisions to the databases'; `run` then brings them forward.
            on_tenant: called after each.

        Raises:
            ValueError: `schema` without `Tenancy(metadata=...)`.

        Effects:
            One connection per tenant, besides the budget; writes nothing into databases.
        """
        metadata = self.of.revisions.metadata if schema else None
        if schema and metadata is None:
            raise ValueError("verify(schema=True) compares with Tenancy(metadata=...): give it the tenants' tables.")
        tenants = [it for it in self.of.registry.all() if it.state in MIGRATED_STATES and where(it)]
        return verification.verify(self.of, tenants, parallel=parallel, metadata=metadata, repair=repair, listen=on_tenant)

    def migrate(self, rollout: Rollout | None, on_tenant: OnTenant | None) -> MigrationReport:
        """See `Tenancy.migrate`."""
        told: dict[str, str | None] = {}

        def tell(key: str, error: str | None) -> None:
            told[key] = error
            if on_tenant is not None:
                on_tenant(key, error)

        self.run(rollout or Rollout(canary=0, parallel=1), on_tenant=tell)
        failed = {key: error for key, error in told.items() if error is not None}
        return MigrationReport(head=self.of.revisions.head, migrated=tuple(key for key in told if key not in failed), failed=failed)

    # ── What is active ───────────────────────────────────────────────────

    @cached_property
    def activity(self) -> Activity:
        """Notes which tenants are used, for work that leaves the others alone."""
        return Activity(catalog=self.of.catalog, clock=self.of.clock)

    # ── What needs attention ─────────────────────────────────────────────

    def orphans(self) -> list[str]:
        """See `Tenancy.orphans`. What is known is read before and after, since others make and drop databases meanwhile."""
        prefix = f"{PREFIX}{self.of.registry.installation()}_"
        known = self.databases()
        found = {name for site in self.of.sites.by_name.values() for name in site.provisioner.names(prefix)}
        known |= self.databases()
        return sorted(found - {name for database in known for name in (database, *Place(database=database).roles)})

    def databases(self) -> set[str]:
        """All that the catalog knows; a spare becomes a tenant's and never the reverse, hence the order."""
        of = self.of
        return of.templates.names() | of.spares.databases() | of.registry.databases()

    # ── One run ──────────────────────────────────────────────────────────

    @property
    def _runs(self) -> Runs:
        return Runs(catalog=self.of.catalog, clock=self.of.clock, ttl_s=self.of.leases.ttl_s)

    def _status(self, row: RunRow | None) -> RunStatus | None:
        return None if row is None else status.read(self.of.catalog, self.of.clock, row)

    def _prepare(self) -> None:
        """Bring templates and spares to the head. From here on nothing new is made behind it: who comes later ends at the head."""
        for name, site in self.of.sites.by_name.items():
            self.of.templates.ensure(name, site.provisioner, retire=False)
        for spares in self.of.spares.status():
            if (old := spares.outdated - self.of.spares.condemned(spares.server)) > 0:
                with suppress(OperationBusy):  # who is refilling does the same
                    self.of.spares.refill(spares.ready + old, server=spares.server, retire=False)

    def _joinable(self) -> RunRow | None:
        """The run that is running, when it goes where this code goes."""
        row, revisions = self._runs.running(), self.of.revisions
        if row is None or row.target == revisions.head:
            return row
        if row.target not in revisions.ancestors(revisions.head):
            raise RunInTheWay(row.id, target=row.target, head=revisions.head)
        self._stop(row, f"a newer run goes to {revisions.head}")
        return self._joinable()

    def _work(self, run_id: int, rollout: Rollout | None, on_tenant: OnTenant | None) -> RunStatus:
        runs = self._runs
        row = runs.get(run_id)
        assert row is not None
        settings = _rollout(row) if rollout is None else replace(_rollout(row), parallel=rollout.parallel)

        def tell(result: Result) -> None:
            if on_tenant is not None and not result.is_skipped and not result.is_to_be_tried_again(settings):
                on_tenant(result.work.key, result.error)

        try:
            Runner(of=self.of, runs=runs, run_id=run_id, rollout=settings, listener=tell).run()
        finally:
            self.of.registry.forget()
        self._sweep()
        return self.status(run_id)

    def _sweep(self) -> None:
        """Drop what the new templates and spares replaced, after the tenants and where that holds nobody up; else the next call does it."""
        for name, site in self.of.sites.by_name.items():
            is_left = self.of.templates.outdated(name) or self.of.spares.condemned(name)
            if is_left and site.provisioner.backlog_bytes() <= self.backlog_max_bytes:
                self.of.templates.sweep(name, site.provisioner)
                self.of.spares.sweep(name)

    def behind(self, first: Sequence[str] = ()) -> list[Candidate]:
        """Tenants not at head, oldest first. Those being provisioned end at head by themselves."""
        wanted = select(TenantRow.id, TenantRow.key, TenantRow.server, TenantRow.revision).where(
            TenantRow.revision.is_distinct_from(self.of.revisions.head), TenantRow.state.in_(MIGRATED_STATES), TenantRow.server.is_not(None)
        )
        with Session(self.of.catalog) as session:
            rows = session.execute(wanted.order_by(TenantRow.created_at, TenantRow.id)).all()
        found = [Candidate(id=row.id, key=row.key, server=row.server or "", revision=row.revision) for row in rows]
        return sorted(found, key=lambda it: first.index(it.key) if it.key in first else len(first))


def _rollout(row: RunRow) -> Rollout:
    return Rollout(**row.settings)
