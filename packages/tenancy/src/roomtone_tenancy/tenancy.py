"""The facade: everything a host does with tenants."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, MetaData
from sqlalchemy.orm import Session

from .cache import CacheStats
from .census import Census, take_census
from .connections import ServerConnections
from .doctor import Diagnosis, Doctor, Thresholds
from .errors import BadHost, TenantUnavailable, UnknownHost, UnknownTenant
from .events import E, Handler
from .fleet.fanout import FanOut, OnError, T
from .fleet.rollout import Rollout
from .guard import TenantSession
from .key_providers import KeyProvider
from .life.backups import Backups
from .life.clones import Clones
from .life.exports import Exports
from .life.moves import Moves
from .life.renaming import rename
from .life.restore import Restores
from .life.scrubs import Scrub
from .life.stores import Store
from .life.tools import Tools
from .lifecycle import TenantState
from .lookups import Lookups
from .migrate import Fleet, MigrationReport
from .operations import Listener
from .placement import Placement, least_full
from .progress import Progress
from .propagation import Propagation
from .provisioners import Place
from .provisioning import UNMADE_STATES, Seed
from .reserved import Reserved
from .secrecy import Secrets
from .server import PoolLimits, Server
from .spans import OFF, Spans
from .tenant import LifecycleEntry, Tenant
from .traced import TracedLookups
from .wiring import assemble


class Tenancy:
    """Tenants with a database each.

    Args:
        catalog: the control database; `schema.upgrade` has been run on it.
        servers: where tenant databases live, unless the catalog has them: see `servers.Servers`.
        placement: chooses the server of a new tenant; see `placement.Placement`.
        reserved: keys and hosts that no tenant gets.
        migrations: a folder with `versions/`, the Alembic revisions of every tenant's database. No env.py is needed.
        metadata: the tenants' tables, for revisions that ask for `target_metadata`.
        keys: wraps the keys of the catalog's secrets: a `KeyRing`, `CallableKeys`, or the host's own.
        clock: aware UTC time.
        pools: bounds on this process's connections.
        seed: called once for each new tenant with a session of its database, which it must not commit.
        spares: databases that `tenancy.spares.refill()` keeps ready on each server.
        cache_ttl_s: how late this process may learn of another one's change when it is not told, seconds.
        cache_stale_s: how old an answer may be that is given while the catalog cannot be asked, seconds.
        cache_entries_max: look-ups remembered by key, and as many by host.
        catalog_timeout_s: how long the catalog may take to answer a look-up, seconds.
        listen: hear of other processes' changes at once, from PostgreSQL, and look up over a connection that is kept meanwhile: two
            daemon threads and two connections from the first look-ups on.
        lease_s: how long a silent worker is believed alive, seconds; one seen dead on this host is replaced at once.
        backups: where `tenancy.backups` keeps them, as a `FolderStore` or `s3.S3Store`; without it there are none.
        tools: where pg_dump and pg_restore are; looked for if None.
        scrubs: functions that take from a clone what must not be in it; see `life.scrubs.Scrub`.
        spans: who traces, as `tracing.OpenTelemetrySpans()`; otherwise nobody, at no cost.
        sql_comments: name the tenant in a comment behind each statement of its sessions, where servers show what they are doing.
    """

    def __init__(
        self,
        catalog: Engine,
        *,
        servers: Sequence[Server] = (),
        migrations: Path,
        metadata: MetaData | None = None,
        keys: KeyProvider,
        clock: Callable[[], datetime] = partial(datetime.now, UTC),
        pools: PoolLimits | None = None,
        placement: Placement = least_full,
        reserved: Reserved = Reserved(),
        seed: Seed | None = None,
        spares: int = 0,
        cache_ttl_s: float = 2.0,
        cache_stale_s: float = 300.0,
        cache_entries_max: int = 10_000,
        catalog_timeout_s: float = 2.0,
        listen: bool = True,
        lease_s: float = 15.0,
        backups: Store | None = None,
        tools: Tools | None = None,
        scrubs: Sequence[Scrub] = (),
        spans: Spans = OFF,
        sql_comments: bool = False,
    ) -> None:
        self.tools = tools or Tools()
        lookups_of: Callable[..., Lookups] = Lookups if spans is OFF else partial(TracedLookups, spans=spans)
        parts = assemble(
            catalog,
            servers=servers,
            migrations=Path(migrations),
            metadata=metadata,
            keys=keys,
            clock=clock,
            limits=pools or PoolLimits(),
            placement=placement,
            reserved=reserved,
            seed=seed,
            spares=spares,
            lookups=lookups_of(
                catalog, ttl_s=cache_ttl_s, stale_s=cache_stale_s, entries_max=cache_entries_max, timeout_s=catalog_timeout_s, listen=listen
            ),
            lease_s=lease_s,
            backups=backups,
            tools=self.tools,
            scrubs=scrubs,
            spans=spans,
            sql_comments=sql_comments,
        )
        weakref.finalize(self, parts.lookups.stop, wait=False).atexit = False
        self.reserved, self.servers, self.spares, self.domains = reserved, parts.servers, parts.spares, parts.domains
        self._budgets, self._heart, self._lookups, self._registry = parts.budgets, parts.heart, parts.lookups, parts.registry
        self._provisioning, self._deletion, self._fleet = parts.provisioning, parts.deletion, parts.fleet
        self._workshop, made = parts.workshop, parts.provisioning
        self._scope, self._events, self._sites, self._templates = made.scope, made.events, made.sites, made.templates
        self._operations, self._credentials, self._revisions = made.operations, made.credentials, made.revisions

    # ── Life of a tenant ─────────────────────────────────────────────────

    def register(
        self,
        session: Session,
        key: str,
        *,
        domains: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        region: str | None = None,
    ) -> Tenant:
        """Add a tenant within the host's control-plane transaction: its row, its domains and the wish for a database.

        Args:
            domains: hosts it answers to, the primary first.
            metadata: JSON values of the host's own.
            region: place it on a server of this region; anywhere if None.

        Raises:
            BadKey, BadHost: they break the rules; `ReservedKey` is a BadKey.
            TenantExists, DomainTaken: somebody has them; the transaction can go on.
            NoServer: no server can take it; the message counts why.

        Effects:
            Flushes; the host commits, and then runs `provision`. With a spare database the tenant is active at once, unless it is to
            be seeded. Others may register meanwhile; only the last `SIDE_BY_SIDE_MAX` places on a server are given out one by one.
        """
        self._require_control(session)
        return self._provisioning.register(session, key, domains=domains, metadata=metadata, region=region)

    def provision(self, key: str, *, on_step: Listener | None = None) -> Tenant:
        """Make the tenant's database, or go on where an earlier call stopped, and return the active tenant.

        Args:
            on_step: called as each step begins and ends.

        Raises:
            UnknownTenant: there is none.
            TenantUnavailable: it is being deleted.
            OperationBusy: another process is at it.
            ProvisioningFailed: a step failed; its cause is chained, and the next call tries that step again.

        Effects:
            Creates a database and roles, commits after each step. Nothing happens when it is done already.
        """
        self._heart.ensure()
        tenant = self._registry.fresh(key)
        if tenant.state is TenantState.DELETING:
            raise TenantUnavailable(key, tenant.state)
        if tenant.state not in UNMADE_STATES:
            return tenant
        return self._provisioning.run(tenant, on_step) or self._registry.fresh(key)

    def progress(self, key: str) -> Progress:
        """How far the latest operation on the tenant is.

        Raises:
            UnknownTenant: there is none.
        """
        progress = self._operations.progress(self.tenant(key).id)
        if progress is None:
            raise UnknownTenant(key)
        return progress

    def pending(self, kind: str = "provision") -> list[str]:
        """Keys with an unfinished operation, oldest first: call `provision` for each (`delete` for kind "delete") after a restart.

        Kind "door": tenants whose database was not told of their state; call `settle` for each.
        """
        return self._workshop.doors.pending() if kind == "door" else self._operations.pending(kind)

    def interrupted(self) -> Mapping[str, Callable[[str], object]]:
        """The verb that finishes each kind of operation, by kind, in the order in which to go about it; `pending` has the keys."""
        restores = Restores(shop=self._workshop)
        return {
            "provision": self.provision,
            "clone": self.clones.resume,
            "import": self.exports.resume,
            "move": self.moves.resume,
            "restore": restores.resume,
            "backup": self.backups.resume,
            "delete": self.delete,
            "door": self.settle,
        }

    def settle(self, key: str) -> None:
        """Tell the tenant's database what its state lets in, if a commit was not followed by that.

        Raises:
            UnknownTenant: there is none.
            OperationBusy: an operation goes on, which does it at its end.
        """
        self._workshop.doors.settle_key(key)

    def suspend(self, session: Session, key: str, *, reason: str, actor: str = "system") -> Tenant:
        """Refuse the tenant all work; flushes, the host commits. Nothing happens when it is suspended already.

        Raises:
            UnknownTenant, IllegalMove: there is none, or its state cannot become this one.

        Effects:
            After the commit the tenant's database is told too: it ends the logins' sessions and lets nobody in. What hinders that
            is logged, `doctor` says so and `tenancy resume` does it.
        """
        return self._move(session, key, TenantState.SUSPENDED, reason, actor)

    def read_only(self, session: Session, key: str, *, reason: str, actor: str = "system") -> Tenant:
        """Have the database refuse the tenant's writes; otherwise as `suspend`."""
        return self._move(session, key, TenantState.READ_ONLY, reason, actor)

    def resume(self, session: Session, key: str, *, reason: str, actor: str = "system") -> Tenant:
        """Back to normal work; otherwise as `suspend`."""
        return self._move(session, key, TenantState.ACTIVE, reason, actor)

    def archive(self, session: Session, key: str, *, reason: str, actor: str = "system") -> Tenant:
        """Put a suspended tenant away: visitors read that it is gone; otherwise as `suspend`."""
        return self._move(session, key, TenantState.ARCHIVED, reason, actor)

    def rename(self, session: Session, key: str, new_key: str, *, actor: str = "system") -> Tenant:
        """Give the tenant another key; its id, database and domains stay. Flushes. Sessions given for the old key end.

        Raises:
            UnknownTenant, BadKey, TenantExists: there is none, or the new key is no key, or in use.
        """
        self._require_control(session)
        return rename(self._provisioning, session, key, new_key, actor=actor)

    def delete_later(self, session: Session, key: str, *, grace: timedelta, reason: str, actor: str = "system") -> Tenant:
        """Archive the tenant now and make it due for deletion after the grace; `suspend` before that takes it back. Flushes.

        Raises:
            UnknownTenant, IllegalMove: there is none, or it is in the making.
        """
        self._require_control(session)
        return self._deletion.plan(session, key, grace=grace, reason=reason, actor=actor)

    def due_for_deletion(self) -> list[str]:
        """Keys of archived tenants whose grace is over, the longest due first: call `delete` for each, once a day."""
        return self._deletion.due()

    def delete(self, key: str, *, at_once: bool = False, without_backup: bool = False, on_step: Listener | None = None) -> None:
        """Drop the tenant's database, roles and copies, then free its key and domains. The catalog keeps the row and its log.

        Args:
            at_once: do not wait for the end of the grace that `delete_later` gave.
            without_backup: make no last backup; without it one that fails stops the deletion, where `Tenancy(backups=...)` is given.

        Raises:
            UnknownTenant: there is none.
            GraceNotOver: it is too early.
            OperationBusy: another process is working on it.
            DeletionFailed: a step failed; the next call tries that step again.

        Effects:
            Ends every connection to the database, commits after each step. There is no way back but a backup.
        """
        self._deletion.run(self._registry.fresh(key), on_step, at_once=at_once, without_backup=without_backup)

    def proof_of_deletion(self, tenant_id: str) -> Mapping[str, Any] | None:
        """What was dropped, and when all of it was seen to be gone; None when there is no such record, or it was altered.

        Args:
            tenant_id: `Tenant.id`, since the key may be another tenant's by now.
        """
        return self._deletion.proof(tenant_id)

    # ── The catalog ──────────────────────────────────────────────────────

    def tenant(self, key: str) -> Tenant:
        """The tenant of this key, as young as the constructor's `listen` and `cache_...` say.

        Raises:
            UnknownTenant: there is none, or it was deleted.
            CatalogUnavailable: the catalog cannot be asked, and nothing young enough is known.
        """
        return self._registry.get(key)

    def tenants(self, state: TenantState | None = None) -> list[Tenant]:
        """All tenants but deleted ones, or those in one state; by key, read from the catalog."""
        return self._registry.all(state)

    def exists(self, key: str) -> bool:
        """Whether a tenant has this key."""
        return self._registry.find(key) is not None

    def resolve(self, host: str) -> Tenant:
        """The tenant that answers to a `Host` header, whatever its case, port or trailing dot.

        Raises:
            UnknownHost: none does, or it is no host name.
            CatalogUnavailable: the catalog cannot be asked, and nothing young enough is known.
        """
        try:
            return self._registry.resolve(host)
        except BadHost as error:
            raise UnknownHost(host) from error

    def add_domain(self, session: Session, key: str, host: str, *, primary: bool = False) -> Tenant:
        """Let the tenant answer to one more host, or make one of its own the primary; flushes.

        Raises:
            UnknownTenant, BadHost, DomainTaken: no tenant, no host name, or another tenant's.
        """
        self._require_control(session)
        return self._registry.add_domain(session, key, host, primary=primary)

    def update_metadata(self, session: Session, key: str, **values: Any) -> Tenant:
        """Set some of the host's own values and keep the others; flushes.

        Raises:
            UnknownTenant: there is none.
        """
        self._require_control(session)
        return self._registry.update_metadata(session, key, values)

    def history(self, key: str) -> list[LifecycleEntry]:
        """The tenant's moves, oldest first.

        Raises:
            UnknownTenant: there is none.
        """
        return self._registry.history(self.tenant(key).id)

    def cache_stats(self) -> CacheStats:
        """What the look-ups by key and by host cost since the start: hits, misses, stale answers."""
        return self._lookups.stats()

    def census(self) -> Census:
        """How many tenants, unfinished operations, spares and tenants of the newest run there are; six short queries.

        Raises:
            TimeoutError: the catalog did not answer in time.
        """
        return take_census(self._lookups, self._provisioning)

    # ── Scope and sessions ───────────────────────────────────────────────

    def use(self, tenant: str | Tenant, *, allow_switch: bool = False) -> AbstractContextManager[Tenant]:
        """Work for a tenant within a `with` block, in this thread or task. Executes nothing in the tenant's database.

        Raises:
            UnknownTenant: there is none of this key.
            TenantSwitch: on entering, when another tenant is in scope and `allow_switch` is not set.
        """
        found = tenant if isinstance(tenant, Tenant) else self.tenant(tenant)
        return self._scope.enter(found, allow_switch=allow_switch)

    @property
    def current(self) -> Tenant:
        """The tenant in scope, as it was when the block began.

        Raises:
            NoTenant: none is.
        """
        return self._scope.current()

    @property
    def scope(self) -> Propagation:
        """Carries the tenant in scope into threads (`bound`, `executor`) and streaming bodies (`stream`)."""
        return Propagation(self._scope)

    def session(self, **options: Any) -> TenantSession:
        """A session on the database of the tenant in scope; the caller commits and closes it. Connects at its first statement.

        Args:
            options: what SQLAlchemy's `Session` takes, except binds.

        Raises:
            NoTenant: no tenant is in scope.
            TenantUnavailable: its state refuses work (at each transaction too).
            Later: WrongTenant, TenantReadOnly, BudgetExhausted, StampMismatch, as the session is used.
        """
        tenant = self._scope.current()
        return TenantSession(self._engine(self._registry.usable(tenant)), tenant=tenant, scope=self._scope, **options)

    @property
    def backups(self) -> Backups:
        """Backs tenants up and restores them."""
        return Backups(shop=self._workshop)

    @property
    def clones(self) -> Clones:
        """Makes new tenants of the data of others."""
        return Clones(shop=self._workshop)

    @property
    def exports(self) -> Exports:
        """Writes tenants into files, and makes new ones of such files."""
        return Exports(shop=self._workshop)

    @property
    def moves(self) -> Moves:
        """Moves tenants between servers."""
        return Moves(shop=self._workshop)

    @property
    def secrets(self) -> Secrets:
        """Replaces master keys and passwords while tenants are served."""
        return Secrets.of(self._provisioning)

    def on(self, kind: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """Have this process call a function at each event of a type in `events`: `tenancy.on(StateChanged)(function)`, or decorate it."""
        return self._events.on(kind)

    # ── The fleet ────────────────────────────────────────────────────────

    @property
    def head(self) -> str:
        """The newest revision in the migrations folder."""
        return self._revisions.head

    @property
    def fleet(self) -> Fleet:
        """Migrates all tenants in waves, says how far that is, checks what is true, and knows who is active."""
        return self._fleet

    def migrate(self, rollout: Rollout | None = None, *, on_tenant: Callable[[str, str | None], None] | None = None) -> MigrationReport:
        """Bring the templates and every tenant behind the head there; a failure stops only its tenant. See `fleet.run` for more.

        Args:
            rollout: how; one after another to the end when None.
            on_tenant: called after each with its key and its error, None when there is none.

        Raises:
            RunInTheWay: a run to a revision that this code does not know is running.

        Effects:
            Opens no tenant's database when the catalog says that all are at head. Shares the work with others that do the same.
        """
        return self._fleet.migrate(rollout, on_tenant)

    def has_revision(self, tenant: str | Tenant, revision: str) -> bool:
        """Whether the tenant's database has a revision, so that new code can meet an old schema; from memory as a rule.

        A revision that this code does not know counts as newer than all of its own.

        Raises:
            UnknownTenant: there is none of this key.
            MigrationsInvalid: this code has no such `revision`.
        """
        key = tenant.key if isinstance(tenant, Tenant) else tenant
        return self._revisions.reaches(self.tenant(key).revision, revision)

    def map(
        self,
        function: Callable[[TenantSession, Tenant], T],
        *,
        where: Callable[[Tenant], bool] = lambda _: True,
        only: Collection[str] | None = None,
        concurrency: int = 8,
        deadline_s: float | None = None,
        on_error: OnError = "go on",
    ) -> FanOut[T]:
        """Call a function for tenants that may be read, some at once, and give its answers as they come, each with its tenant.

        Args:
            function: gets a session of the tenant, which is in scope; what it does not commit is rolled back.
            where: whether to take this one; `fleet.activity.active(days=7)` leaves out those that nobody uses.
            only: take no others than these keys: `left` of a result resumes it.
            concurrency: calls at once, >= 1; never more than this process's connections to one server.
            deadline_s: seconds after which no more are begun.
            on_error: "go on" gives errors as outcomes; "stop" begins no more and raises.

        Raises:
            Later: TenantCallFailed, as the result is gone through, with on_error="stop".
        """
        allowed = None if only is None else frozenset(only)
        tenants = [it for it in self.tenants() if it.state.may_read and (allowed is None or it.key in allowed) and where(it)]

        spans = self._provisioning.spans

        def call(tenant: Tenant) -> T:
            with spans.span("map.call", tenant=tenant.key), self.use(tenant, allow_switch=True), self.session() as session:
                return function(session, tenant)

        bounded = min(concurrency, self._budgets.limits.per_server)
        return FanOut(tenants, spans.carried(call), concurrency=bounded, deadline_s=deadline_s, on_error=on_error)

    def orphans(self) -> list[str]:
        """Databases, files and roles of this installation that no tenant, spare or template accounts for; none in normal life."""
        return self._fleet.orphans()

    def doctor(self, *, sample: int | None = 20, thresholds: Thresholds = Thresholds()) -> Diagnosis:
        """Look at servers, catalog and databases for what is wrong, why it matters, and what to paste to mend it.

        Args:
            sample: databases of each server to open, others at each call; None opens all. The rest asks each server some queries.
            thresholds: from when on something counts as a fault.

        Effects:
            Changes nothing. A connection to each server besides the budget, and one to each database that is opened.
        """
        doctor = Doctor(
            fleet=self._fleet,
            shop=self._workshop,
            servers=self.servers,
            domains=self.domains,
            limits=self._budgets.limits,
            thresholds=thresholds,
            sample=sample,
        )
        return doctor.visit()

    def size_bytes(self, key: str) -> int:
        """What the tenant's database takes on disk; asks its server.

        Raises:
            UnknownTenant: there is none.
        """
        tenant = self.tenant(key)
        assert tenant.database is not None
        return self._sites[tenant.server].provisioner.size_bytes(tenant.database)

    def connections(self) -> list[ServerConnections]:
        """What this process's connections are doing now, a value for each server that it used: for metrics."""
        return self._budgets.report()

    def dispose(self) -> None:
        """Close every idle connection to tenants' databases and listen no more; the catalog's engine is the host's."""
        self._lookups.stop()
        self._heart.stop()
        self._sites.dispose()

    def _move(self, session: Session, key: str, after: TenantState, reason: str, actor: str) -> Tenant:
        self._require_control(session)
        with self._provisioning.spans.span("change_state", tenant=key, after=after):
            moved = self._registry.move(session, key, after, reason=reason, actor=actor)
            self._workshop.doors.changed(session, moved.id)
        return moved

    def _engine(self, tenant: Tenant) -> Engine:
        self._heart.ensure()
        site = self._sites[tenant.server]
        place = Place(database=tenant.database or "")

        def url() -> URL:
            return site.provisioner.url(place, self._credentials.of(tenant, self._lookups.take_login(tenant)))

        return site.engines.get(tenant, url)

    @staticmethod
    def _require_control(session: Session) -> None:
        if isinstance(session, TenantSession):
            raise TypeError("A session of a tenant was given: the catalog is changed through a session of the control database.")
