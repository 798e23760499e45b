"""Moves a tenant to another server. Writes are refused while it is copied and compared; reads go on until it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from ..errors import NoServer
from ..events import TenantMoved
from ..models import OperationRow
from ..operations import Attempt, Listener
from ..provisioners import Place
from ..tenant import Tenant
from .contents import from_json, to_json, total_rows
from .copies import Retired
from .replacement import Replacement
from .undertaking import Undertaking
from .workshop import Workshop

KIND = "move"


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveReport:
    """What a move did.

    Args:
        rows: how many were copied and compared.
        refused_s: how long the tenant's writes were refused, seconds; until the resumed end if it was interrupted.
        source_until: until when the database on the old server is kept, closed and read-only.
    """

    key: str
    source: str
    target: str
    tables: int
    rows: int
    refused_s: float
    source_until: datetime


@dataclass(frozen=True, kw_only=True)
class Moves:
    """`Tenancy.moves`."""

    shop: Workshop

    def move(self, key: str, to: str, *, keep: timedelta = timedelta(days=7), on_step: Listener | None = None) -> MoveReport:
        """Move a tenant, or go on with the move that was interrupted.

        Args:
            to: the server's name.
            keep: how long the database on the old server is kept.

        Raises:
            UnknownTenant, NoServer, ServerDisabled: there is none, or it is switched off.
            ValueError: the tenant is there already, or the servers are of two kinds.
            OperationBusy: something else goes on with the tenant.
            OperationFailed: a step failed; before the exchange all is taken back, afterwards `resume` goes on.

        Effects:
            Makes a database on the target; refuses the tenant's writes and ends its sessions while it is copied. Commits after each step.
        """
        tenant = self.shop.of.registry.fresh(key)
        undertaking = Undertaking(of=self.shop.of, kind=KIND)
        server = self.shop.of.sites[to].server  # known, and not switched off

        def wish(session: Session) -> tuple[list[str], Mapping[str, object]]:
            if tenant.server == to:
                raise ValueError(f"Tenant {key!r} is on {to!r} already: name another server.")
            if tenant.server is None or tenant.database is None:
                raise NoServer(tenant.server or "(none)")
            if self.shop.of.sites[tenant.server].server.is_sqlite != server.is_sqlite:
                raise ValueError(f"{tenant.server!r} and {to!r} are servers of two kinds: name one of the same kind.")
            roles = ["roles"] if self.shop.of.sites[to].provisioner.has_roles else []
            facts = {"source_server": tenant.server, "source_database": tenant.database, "server": to, "keep_s": keep.total_seconds()}
            facts["database"] = self.shop.copies.name(session, tenant.id, to)
            return [*roles, "database", "fence", "copy", "verification", "exchange", "retirement"], facts

        with undertaking.held(tenant, wish, on_step) as attempt:
            return self._run(undertaking, attempt)

    def resume(self, key: str) -> MoveReport:
        """Go on with an interrupted move; otherwise as `move`."""
        undertaking = Undertaking(of=self.shop.of, kind=KIND)
        with undertaking.held(self.shop.of.registry.fresh(key), None, None) as attempt:
            return self._run(undertaking, attempt)

    def retired(self) -> list[Retired]:
        """Databases that moves and restores replaced and that are still kept, soonest to be dropped first."""
        return self.shop.copies.retired()

    def drop_retired(self, *, is_dry: bool = False) -> list[Retired]:
        """Drop those whose time is over, and return them; call it once a day.

        Args:
            is_dry: only say which.
        """
        return self.shop.copies.drop_due(is_dry=is_dry)

    def _run(self, undertaking: Undertaking, attempt: Attempt) -> MoveReport:
        site = self.shop.of.sites[attempt.details["server"]]
        with site.provisioner.work(attempt.lease.name) as worker:
            replacement = self.shop.replacement(attempt, worker)
            undertaking.run(attempt, _Move(shop=self.shop, attempt=attempt, replacement=replacement))
        return self._report(attempt)

    def _report(self, attempt: Attempt) -> MoveReport:
        with Session(self.shop.of.catalog) as session:
            return _report(attempt.tenant.key, session.get_one(OperationRow, attempt.id).details)


@dataclass(frozen=True, kw_only=True)
class _Move:
    shop: Workshop
    attempt: Attempt
    replacement: Replacement

    @property
    def source(self) -> Place:
        return Place(database=self.attempt.details["source_database"])

    def do(self, step: str) -> None:
        facts = self.attempt.details
        match step:
            case "roles":
                self.replacement.roles()
            case "database":
                self.replacement.database()
            case "fence":
                self.replacement.fence()
            case "copy":
                with self.shop.copier(facts["source_server"]).snapshot(self.source, is_compressed=False) as snapshot:
                    self.replacement.load(snapshot.kind, snapshot.chunks)
            case "verification":
                expected = self.shop.copier(facts["source_server"]).contents(self.source)
                what = f"the copy of {self.attempt.tenant.key!r} on {facts['server']!r}"
                found = self.replacement.compare(expected, what)
                self.shop.check_owner(self.attempt, self.replacement.place, facts["server"])
                self.attempt.note(contents=to_json(found))
            case "exchange":
                reason = f"moved from {facts['source_server']} to {facts['server']}"
                self.replacement.exchange(keep=timedelta(seconds=facts["keep_s"]), reason=reason)
            case "retirement":
                self.replacement.retire(self._moved)

    def undo(self) -> bool:
        return self.replacement.undo()

    def _moved(self, tenant: Tenant) -> TenantMoved:
        done = _report(tenant.key, self.attempt.details)
        return TenantMoved(tenant=tenant, source=done.source, target=done.target, rows=done.rows, refused_s=done.refused_s)


def _report(key: str, facts: Mapping[str, Any]) -> MoveReport:  # an operation's details
    contents = from_json(facts["contents"])
    fenced_at, exchanged_at = (datetime.fromisoformat(facts[name]) for name in ("fenced_at", "exchanged_at"))
    return MoveReport(
        key=key,
        source=facts["source_server"],
        target=facts["server"],
        tables=len(contents),
        rows=total_rows(contents),
        refused_s=(exchanged_at - fenced_at).total_seconds(),
        source_until=exchanged_at + timedelta(seconds=facts["keep_s"]),
    )
