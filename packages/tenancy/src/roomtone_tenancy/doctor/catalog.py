"""What the catalog knows to be wrong. A few queries, however many tenants there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..domains import CLAIM_TTL, Domains
from ..fleet.rollout import ItemState, RunState
from ..life.workshop import Workshop
from ..lifecycle import TenantState
from ..migrate import Fleet
from ..models import DomainClaimRow, LeaseRow, OperationRow, TemplateRow, TenantRow
from ..process import is_surely_dead
from ..sealed_rows import SealedRows
from ..server import ServerState
from ..servers import Servers, ServerStatus
from .findings import Finding, Severity, Thresholds, code, shell

_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class CatalogChecks:
    """Each method is a check: it gives a finding for each thing that is wrong, none when all is well."""

    fleet: Fleet
    shop: Workshop
    servers: Servers
    domains: Domains
    thresholds: Thresholds

    def nowhere(self) -> Iterator[Finding]:
        """Servers that have tenants and that nobody can reach."""
        for each in self.servers.list():
            if each.source == "nowhere" and each.tenants:
                yield Finding(
                    check="nowhere",
                    severity=Severity.ERROR,
                    subject=each.name,
                    what=f"{each.tenants} tenants live on this server, and neither the code nor the catalog says where it is.",
                    why="Every request of theirs fails.",
                    fix=code(f'Tenancy(..., servers=[Server("{each.name}", url)])'),
                )

    def unfinished(self) -> Iterator[Finding]:
        """Operations that nobody works on any more."""
        open_ones = select(TenantRow.id, TenantRow.key, OperationRow.kind, OperationRow.error)
        open_ones = open_ones.join(TenantRow, TenantRow.id == OperationRow.tenant_id).where(OperationRow.finished_at.is_(None))
        with Session(self.fleet.of.catalog) as session:
            rows = session.execute(open_ones.where(TenantRow.state != TenantState.DELETED).order_by(OperationRow.id)).all()
        busy = self._busy() if rows else set()
        for row in rows:
            if f"tenant:{row.id}" not in busy:
                yield Finding(
                    check="unfinished",
                    severity=Severity.ERROR,
                    subject=row.key,
                    what=f"a {row.kind} was begun and not finished" + (f" ({row.error})." if row.error else "."),
                    why="Until it is, the tenant may be refused work, and no other operation on it can begin.",
                    fix=shell("tenancy resume"),
                )

    def doors(self) -> Iterator[Finding]:
        """Databases that do not know their tenant's state."""
        for key in self.shop.doors.pending():
            yield Finding(
                check="door",
                severity=Severity.ERROR,
                subject=key,
                what="its database was not told of its state.",
                why="Programs that do not ask this library may still do there what the state refuses, or be refused what it lets in.",
                fix=shell("tenancy resume"),
            )

    def stopped(self) -> Iterator[Finding]:
        """A run over the fleet that goes on no more."""
        run = self.fleet.latest()
        if run is None or not run.left or (run.state is RunState.RUNNING and run.counts.get(ItemState.LEASED)):
            return
        how = "was stopped" if run.state is RunState.STOPPED else "has no process that works on it"
        yield Finding(
            check="stopped",
            severity=Severity.ERROR,
            subject=f"run {run.id}",
            what=f"the migration to {run.target} {how}{f' ({run.reason})' if run.reason else ''}; {run.left} tenants are left.",
            why="The fleet stays at two revisions, and newer code meets older schemas.",
            fix=shell("tenancy migrate resume"),
        )

    def failed(self) -> Iterator[Finding]:
        """Tenants whose last migration failed."""
        failed = select(TenantRow.key, TenantRow.migration_error).where(TenantRow.migration_error.is_not(None)).order_by(TenantRow.key)
        with Session(self.fleet.of.catalog) as session:
            for row in session.execute(failed).all():
                yield Finding(
                    check="failed",
                    severity=Severity.ERROR,
                    subject=row.key,
                    what=f"the last migration failed: {row.migration_error}",
                    why="The tenant stays behind the others until what stands in the way is mended and it is tried again.",
                    fix=shell("tenancy migrate run"),
                )

    def behind(self) -> Iterator[Finding]:
        """Tenants that the newest revision did not reach, unless a run or a failure says so already."""
        run = self.fleet.latest()
        if run is not None and run.left:
            return
        with Session(self.fleet.of.catalog) as session:
            failed = set(session.scalars(select(TenantRow.id).where(TenantRow.migration_error.is_not(None))))
        keys = [it.key for it in self.fleet.behind() if it.id not in failed]
        if keys:
            yield Finding(
                check="behind",
                severity=Severity.WARNING,
                subject=_some(keys),
                what=f"{len(keys)} tenants are not at revision {self.fleet.of.revisions.head}.",
                why="Code that needs the newer schema fails for them.",
                fix=shell("tenancy migrate run"),
            )

    def templates(self) -> Iterator[Finding]:
        """Templates of an older revision, on servers that take tenants."""
        of = self.fleet.of
        with Session(of.catalog) as session:
            known = set(session.scalars(select(TemplateRow.server).where(TemplateRow.revision.is_not(None))))
        for name in sorted(known & {each.name for each in self._accepting()}):
            if of.templates.current(name) is None:
                yield Finding(
                    check="template",
                    severity=Severity.WARNING,
                    subject=name,
                    what=f"its template is not at revision {of.revisions.head}.",
                    why="The next tenant that signs up there waits until a new one is built.",
                    fix=shell("tenancy migrate run"),
                )

    def spares(self) -> Iterator[Finding]:
        """Spares of an older revision."""
        for each in self.fleet.of.spares.status():
            if each.outdated:
                yield Finding(
                    check="spares",
                    severity=Severity.WARNING,
                    subject=each.server,
                    what=f"{each.outdated} spare databases are of an older revision.",
                    why="They are never given out, so tenants that sign up wait for their database.",
                    fix=shell(f"tenancy pool fill --server {each.server} --to {each.ready + each.outdated}"),
                )

    def full(self) -> Iterator[Finding]:
        """No place for another tenant."""
        accepting = self._accepting()
        if accepting and all(each.tenants >= each.capacity for each in accepting):
            first = accepting[0]
            yield Finding(
                check="full",
                severity=Severity.ERROR,
                subject=_some([each.name for each in accepting]),
                what="every server that takes tenants is full.",
                why="Nobody can sign up.",
                fix=code(f'Server("{first.name}", url, capacity={max(2 * first.capacity, first.tenants + 1)})'),
            )

    def secrets(self) -> Iterator[Finding]:
        """Secrets that another master key than the current one opens."""
        of = self.fleet.of
        vault = of.credentials.vault
        counts = SealedRows(catalog=of.catalog, vault=vault).by_key()
        for key_id, count in sorted(counts.items()):
            if key_id != vault.keys.current:
                yield Finding(
                    check="keys",
                    severity=Severity.WARNING,
                    subject=key_id,
                    what=f"{count} secrets are sealed under this master key, which is not the current one.",
                    why="As long as there is one, the old key cannot be destroyed, and who has it can read them.",
                    fix=shell("tenancy rotate-keys"),
                )

    def claims(self) -> Iterator[Finding]:
        """Domains that were claimed a while ago and are not proved."""
        now = self.fleet.of.clock()
        waiting = select(TenantRow.key, DomainClaimRow).join(DomainClaimRow, DomainClaimRow.tenant_id == TenantRow.id)
        since = (DomainClaimRow.created_at <= now - self.thresholds.claim_age, DomainClaimRow.created_at > now - CLAIM_TTL)
        with Session(self.fleet.of.catalog) as session:
            found = session.execute(waiting.where(*since).order_by(DomainClaimRow.created_at, DomainClaimRow.host)).all()
        for key, claim in found:
            yield Finding(
                check="domain",
                severity=Severity.WARNING,
                subject=key,
                what=f"it claimed {claim.host} on {claim.created_at:%Y-%m-%d} and has not proved it.",
                why=f"Nobody is answered there until a TXT record {self.domains.challenge_name(claim.host)} says so: see `domains list`.",
                fix=shell(f"tenancy domains verify {key} {claim.host}"),
            )

    def retired(self) -> Iterator[Finding]:
        """Replaced databases that were kept long enough."""
        due = self.shop.copies.drop_due(is_dry=True)
        if due:
            yield Finding(
                check="retired",
                severity=Severity.WARNING,
                subject=_some([each.key for each in due]),
                what=f"{len(due)} databases that moves and restores replaced are past their time.",
                why="They take space, and what a customer had deleted since is still in them.",
                fix=shell("tenancy retired --drop"),
            )

    def deletions(self) -> Iterator[Finding]:
        """Tenants that should be gone."""
        over = select(TenantRow.key).where(TenantRow.delete_at <= self.fleet.of.clock(), TenantRow.state == TenantState.ARCHIVED)
        with Session(self.fleet.of.catalog) as session:
            due = list(session.scalars(over.order_by(TenantRow.delete_at, TenantRow.key)))
        if due:
            yield Finding(
                check="deletion",
                severity=Severity.WARNING,
                subject=_some(due),
                what=f"{len(due)} archived tenants are past the end of their grace.",
                why="What they were promised to be deleted is still there.",
                fix=shell("tenancy delete --due"),
            )

    def _busy(self) -> set[str]:
        """Names of the leases that somebody holds."""
        held = select(LeaseRow.name, LeaseRow.owner).where(LeaseRow.owner.is_not(None), LeaseRow.expires_at > self.fleet.of.clock())
        with Session(self.fleet.of.catalog) as session:
            return {name for name, owner in session.execute(held) if not is_surely_dead(owner or "")}

    def _accepting(self) -> list[ServerStatus]:
        return [each for each in self.servers.list() if each.state is ServerState.ACCEPTING and each.source != "nowhere"]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
